"""Which token is this, and is it in force?"""

from datetime import datetime

from portal.lib.peppers import matches
from projects.models import ApiToken

PREFIX = "remit"


def text_of(public_id: str, secret: str) -> str:
    """A token as it is shown once, and as programs send it."""
    return f"{PREFIX}_{public_id}_{secret}"


def live_token(text: str, now: datetime) -> ApiToken | None:
    """The token, if it is one of ours, in force, and its person still here. One query."""
    prefix, __, rest = text.partition("_")
    public_id, __, secret = rest.partition("_")
    if prefix != PREFIX or not (
        public_id.isascii() and public_id.isalnum() and len(public_id) <= 16
    ):
        return None
    found = (
        ApiToken.objects.filter(public_id=public_id, revoked_at__isnull=True, ends_at__gt=now)
        .select_related(
            "user",
            "service_account__owner",
            "service_account__project__unit",
            "service_account__unit",
        )
        .first()
    )
    if found is None or not matches(secret, found.pepper_id, bytes(found.digest)):
        return None
    account = found.service_account
    if account is not None and account.closed_at is not None:
        return None
    return found if found.person.is_active else None
