"""Which token is this, and is it in force?"""

from datetime import datetime

from django.db.models import QuerySet

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
    found = _with_bearer(now).filter(public_id=public_id).first()
    if found is None or not matches(secret, found.pepper_id, bytes(found.digest)):
        return None
    return _of_somebody_here(found)


def token_of_work(pk: int, now: datetime) -> ApiToken | None:
    """The token by which long work was asked for, if it still is one. One query."""
    found = _with_bearer(now).filter(pk=pk).first()
    return None if found is None else _of_somebody_here(found)


def _with_bearer(now: datetime) -> QuerySet[ApiToken]:
    return tokens_in_force(now).select_related(
        "user",
        "service_account__owner",
        "service_account__project__unit",
        "service_account__unit",
    )


def _of_somebody_here(found: ApiToken) -> ApiToken | None:
    account = found.service_account
    if account is not None and account.closed_at is not None:
        return None
    return found if found.person.is_active else None


def tokens_in_force(now: datetime) -> QuerySet[ApiToken]:
    """Those that are not over; whether their person is still here is asked at each call."""
    return ApiToken.objects.filter(revoked_at__isnull=True, ends_at__gt=now)


def is_live(token: ApiToken, now: datetime) -> bool:
    """Whether a token that was read is in force at `now`."""
    return token.revoked_at is None and now < token.ends_at


def standing(token: ApiToken, now: datetime) -> str:
    """One word: "live", "ended", or "revoked"."""
    if token.revoked_at is not None:
        return "revoked"
    return "live" if now < token.ends_at else "ended"
