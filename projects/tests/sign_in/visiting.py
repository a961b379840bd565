"""Somebody signs in at the real provider, with Django's test client for a browser."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.test import Client

from contrib.provider.running import RunningProvider

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

BEGIN, RETURN = "/sign-in/provider/", "/sign-in/return/"


def come_back(
    client: Client,
    provider: RunningProvider,
    subject: str,
    *,
    heading: str = "",
    cancels: bool = False,
) -> "Answer":
    """Go there, sign in, come back; the answer to the return."""
    return client.get(way_back(client, provider, subject, heading=heading, cancels=cancels))


def way_back(
    client: Client,
    provider: RunningProvider,
    subject: str,
    *,
    heading: str = "",
    cancels: bool = False,
) -> str:
    """Go there and sign in; the address here that the provider sends one back to."""
    sent = client.get(BEGIN, {"next": heading} if heading else {})
    assert sent.status_code == 302, sent.content.decode()
    back = urlsplit(provider.walk(sent["Location"], subject, cancels=cancels))
    assert back.path == RETURN
    return f"{back.path}?{back.query}"


def is_signed_in(client: Client) -> bool:
    return client.get("/me/").status_code == 200
