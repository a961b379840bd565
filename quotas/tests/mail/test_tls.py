"""A letter goes by TLS to a server whose name is certified, signed in, or not at all."""

from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from pytest_django import Settings

from projects.models import Postbox
from quotas.tests.mail.acting import HOUR, LATER, ask, grant, post, write_and_post
from quotas.tests.mail.server import MailServer, serving
from quotas.tests.site import NOW, Site
from quotas.tests.webhooks.test_signing import certified

HUSH = "hush-hush"


def authenticate(*asked: object) -> AuthResult:
    """Only Remit with its password."""
    return AuthResult(success=asked[-1] == LoginPassword(b"remit", HUSH.encode()), handled=False)


def test_a_letter_goes_encrypted_and_signed_in_or_waits(
    mailed: Site,
    server: MailServer,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context, ca = certified(tmp_path, "localhost")
    grant(mailed, ask(mailed, NOW), NOW)
    with serving(
        tls_context=context, require_starttls=True, auth_required=True, authenticator=authenticate
    ) as secure:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", secure.port
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "remit", HUSH
        assert write_and_post() == 0, "in the clear it takes nothing"
        settings.EMAIL_USE_TLS = True
        assert post(LATER + HOUR) == 0
        assert "certificate" in Postbox.objects.get().words.lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(ca))
        settings.EMAIL_HOST_PASSWORD = "wrong"
        assert post(LATER + 2 * HOUR) == 0
        said = Postbox.objects.get().words
        assert said.startswith("535")
        assert "wrong" not in said
        settings.EMAIL_HOST_PASSWORD = HUSH
        assert post(LATER + 3 * HOUR) == 1
        assert len(secure.to("alice")) == 1
