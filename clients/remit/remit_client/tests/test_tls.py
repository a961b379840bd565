"""Nothing is sent to a site whose certificate is not trusted; --ca names what is."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from remit_client.config import config_file
from remit_client.tests.conftest import TOKEN, Terminal
from remit_client.tests.scripted import Answer, Scripted, scripted
from remit_client.tests.test_access import ME


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """One that nobody signed but itself, with its key in the file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a site of a test")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "site.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(made.public_bytes(pem) + private)
    return file


@pytest.fixture
def server(certificate: Path) -> Iterator[Scripted]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with scripted(tls) as running:
        running.will(Answer(body=ME))
        yield running


def test_a_certificate_that_nobody_trusts_ends_the_call_before_the_token_is_sent(
    terminal: Terminal, server: Scripted
) -> None:
    ended = terminal.run("login", server.url, stdin=TOKEN)
    assert (ended.code, server.asked) == (5, [])
    assert "no certificate that is trusted here, so nothing was sent" in ended.err


def test_a_certificate_that_is_named_is_trusted_and_kept_with_the_token(
    terminal: Terminal, server: Scripted, certificate: Path
) -> None:
    assert terminal.run("login", server.url, "--ca", certificate, stdin=TOKEN).code == 0
    kept = config_file({"XDG_CONFIG_HOME": str(terminal.folder / "config")})
    assert str(certificate) in kept.read_text()
    ended = terminal.run("whoami")
    assert (ended.code, "name: Alice" in ended.out) == (0, True)
