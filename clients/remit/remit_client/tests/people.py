"""Tokens of people, for tests against a running site."""

from datetime import timedelta

from django.utils import timezone

from portal.lib import peppers
from projects.models import ApiToken, User
from projects.queries.tokens import text_of
from projects.states import TokenScope


def token_of(subject: str, *scopes: TokenScope) -> str:
    """The text of a new token; of all scopes, if none are named."""
    person, secret = User.objects.get(subject=subject), peppers.new_secret()
    pepper, now = peppers.newest(), timezone.now()
    token = ApiToken.objects.create(
        public_id=secret[:12], digest=peppers.digest(secret, pepper), pepper_id=pepper,
        name="remit", user=person, scopes=scopes or tuple(TokenScope), created_at=now,
        created_by=person, ends_at=now + timedelta(days=1),
    )  # fmt: skip
    return text_of(token.public_id, secret)
