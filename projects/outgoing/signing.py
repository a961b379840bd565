"""How a receiver knows that a call is ours: signatures by Standard Webhooks (version 1).

Secrets are kept encrypted with keys made of the site's secret keys, as they must be read again
to sign; the table alone signs nothing. See https://www.standardwebhooks.com.
"""

import base64
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

PREFIX = "whsec_"


class SecretLost(Exception):
    """None of the site's keys opens a kept secret: its key was taken out of the settings."""


def new_secret() -> str:
    """A secret as it is shown once: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sealed(secret: str) -> bytes:
    """The secret as it is kept."""
    return _box().encrypt(secret.encode())


def opened(kept: bytes) -> str:
    """The secret that `sealed` was given; raises SecretLost."""
    try:
        return _box().decrypt(kept).decode()
    except InvalidToken:
        raise SecretLost from None


def signed_headers(
    *, message_id: str, at: datetime, body: bytes, secrets_now: Iterable[str]
) -> dict[str, str]:
    """The three headers of a call. secrets_now: the new one, and the old one while it lives."""
    timestamp = str(int(at.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(each, content) for each in secrets_now),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def _box() -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derived(each)) for each in keys])


def _derived(key: str) -> bytes:
    made = hmac.digest(key.encode(), b"remit.webhook.secret", "sha256")
    return base64.urlsafe_b64encode(made)
