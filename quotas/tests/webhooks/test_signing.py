"""What a receiver can check: the signature, also while a secret is changed; who is certified."""

import base64
import hashlib
import hmac
import ssl
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from projects.actions import webhooks
from projects.actions.calling import call_next
from projects.actions.webhooks import Terms
from projects.models import Event, Webhook, WebhookCall
from projects.outgoing import feeding, sending, signing
from projects.outgoing.addresses import Reach
from projects.outgoing.payloads import event_data
from projects.outgoing.sending import Limits, call
from projects.queries.viewers import Viewer
from projects.states import WebhookState
from quotas.tests.site import NOW, Site
from quotas.tests.webhooks.acting import ask
from quotas.tests.webhooks.conftest import at_loopback, make_webhook
from quotas.tests.webhooks.receiver import HOST, Got, Receiver, receiving

DOCS = Path(__file__).resolve().parents[3] / "docs" / "api.md"


def is_signed(got: Got, secret: str) -> bool:
    """As a receiver checks it, written from the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    wanted = base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in got.headers["webhook-signature"].split(" ")


def test_both_secrets_sign_for_a_day_after_a_change(
    committed_site: Site, receiver: Receiver
) -> None:
    viewer = Viewer.of(committed_site.alice, NOW)
    webhook, first = webhooks.make(terms=Terms("CI", receiver.url), viewer=viewer)
    assert first.startswith("whsec_")
    assert first.encode() not in bytes(Webhook.objects.get().secret)
    webhooks.ping(webhook=webhook, viewer=viewer)
    assert call_next(NOW, at_loopback)
    _webhook, second = webhooks.rotate(webhook=webhook, viewer=viewer)
    for moment in (NOW + timedelta(hours=23), NOW + timedelta(hours=25)):
        webhooks.ping(webhook=webhook, viewer=viewer)
        assert call_next(moment, at_loopback)
    signed = [(is_signed(each, first), is_signed(each, second)) for each in receiver.calls]
    assert signed == [(True, False), (True, True), (False, True)]
    assert receiver.calls[0].told["type"] == "ping"
    assert receiver.calls[0].told["data"] == {"webhook": str(webhook.public_id)}


def test_the_example_in_the_docs_checks_a_signature(
    committed_site: Site, receiver: Receiver
) -> None:
    text = DOCS.read_text().split("### How a receiver checks a call")[1]
    code = text.split("```python")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(code, names)  # the docs' own code, as its reader would run it
    is_ours = names["is_ours"]
    viewer = Viewer.of(committed_site.alice, timezone.now())
    webhook, secret = webhooks.make(terms=Terms("CI", receiver.url), viewer=viewer)
    webhooks.ping(webhook=webhook, viewer=viewer)
    assert call_next(timezone.now(), at_loopback)
    got = receiver.calls[0]
    assert is_ours(secret, got.headers, got.body)  # type: ignore[operator]  # a function
    assert not is_ours(secret, got.headers, got.body + b" ")  # type: ignore[operator]  # see above
    old = got.headers | {"webhook-timestamp": "1"}
    assert not is_ours(secret, old, got.body)  # type: ignore[operator]  # see above


def test_a_secret_is_read_with_older_keys_of_the_site_and_not_without(settings: Settings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "first" * 10, []
    kept = signing.sealed("whsec_YQ==")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "second" * 10, ["first" * 10]
    assert signing.opened(kept) == "whsec_YQ=="
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(signing.SecretLost):
        signing.opened(kept)


def test_a_secret_that_is_lost_disables_until_it_is_rotated(
    committed_site: Site, receiver: Receiver, settings: Settings
) -> None:
    webhook = make_webhook(committed_site.alice, receiver.url)
    webhooks.ping(webhook=webhook, viewer=Viewer.of(committed_site.alice, NOW))
    settings.SECRET_KEY = "another" * 8
    assert call_next(NOW, at_loopback)
    webhook.refresh_from_db()
    assert (webhook.state, receiver.calls) == (WebhookState.DISABLED, [])
    assert webhook.state_why == "Its secret cannot be read: rotate it."
    _webhook, secret = webhooks.rotate(webhook=webhook, viewer=Viewer.of(committed_site.alice, NOW))
    webhooks.switch_on(webhook=webhook, missed=True, viewer=Viewer.of(committed_site.alice, NOW))
    assert call_next(NOW, at_loopback)
    assert [is_signed(each, secret) for each in receiver.calls] == [True]


def test_the_payload_is_the_event_of_the_api(committed_site: Site, receiver: Receiver) -> None:
    site = committed_site
    make_webhook(site.alice, receiver.url, project=site.project)
    asked = ask(site, NOW)
    feeding.write_all(NOW)
    while call_next(NOW, at_loopback):
        pass
    event = Event.objects.get(subject_kind="request", subject_id=asked.pk)
    client = Client()
    client.force_login(site.alice)
    shown = client.get("/api/v1/events/", {"request": asked.pk}).json()["results"]
    assert shown == [event_data(event)]
    assert shown[0] in [each.told["data"] for each in receiver.calls]
    assert WebhookCall.objects.filter(event=event).count() == 1


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context for a name, and the file of who certified it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = timezone.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file, key_file = folder / "ca.pem", folder / "key.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    return context, file


def test_the_certificate_is_of_the_name_that_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certified(tmp_path, "hooks.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    sending._context.cache_clear()
    limits = Limits(5, may_be_plain=False, reach=Reach([ip_network(f"{HOST}/32")]))
    try:
        with receiving(wrap=context) as receiver:
            right = call(f"https://hooks.test:{receiver.port}/", b"{}", {}, limits, at_loopback)
            wrong = call(f"https://other.test:{receiver.port}/", b"{}", {}, limits, at_loopback)
            assert (right.status, wrong.status, len(receiver.calls)) == (204, None, 1)
            assert wrong.words.startswith("Its certificate is not valid: ")
    finally:
        sending._context.cache_clear()
