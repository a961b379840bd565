"""What a token may be used for: reading, or the scope that each changing view asks for."""

from collections.abc import Callable
from enum import Enum, auto
from typing import TypeVar

from django.utils.translation import gettext as _

from portal.lib.errors import Forbidden
from projects.models import ApiToken
from projects.states import TokenScope

View = TypeVar("View", bound=Callable[..., object])

SAFE = ("GET", "HEAD", "OPTIONS")


class Needs(Enum):
    """What is no scope: changes by a person alone, and what a token of any scope may do."""

    A_PERSON = auto()
    ANY_TOKEN = auto()


# What changing something asks for, by the row of the table of access that a view belongs to.
OF_ROW = {
    "ask": TokenScope.ASK,
    "draft": TokenScope.ASK,
    "comment": TokenScope.ASK,
    "decide": TokenScope.DECIDE,
    "decides": TokenScope.DECIDE,
    "hand on": TokenScope.DELEGATE,
    "take back": TokenScope.DELEGATE,
    "unit settings": TokenScope.DELEGATE,
    "fund": TokenScope.FUND,
    "operate": TokenScope.REPAIR,
    "operators": TokenScope.REPAIR,
}


def needs(scope: TokenScope | Needs) -> Callable[[View], View]:
    """Name the scope for changes by a view whose row does not tell it."""

    def mark(view: View) -> View:
        view.cls.scope = scope  # type: ignore[attr-defined]  # a view of quotas.api.doors
        return view

    return mark


def check_scope(token: ApiToken, method: str, needed: TokenScope | Needs | None) -> None:
    """Raises Forbidden where the token is not for this. needed: for changes; None: no token is."""
    scope = TokenScope.READ if method in SAFE else needed
    if scope is Needs.ANY_TOKEN:
        return
    if not isinstance(scope, TokenScope):
        sentence = _("That is done in the pages, by a person who signed in.")
        raise Forbidden(sentence, scope=None, scopes=sorted(token.scopes))
    if scope not in token.scopes:
        words = {"scope": scope.value}
        raise Forbidden(
            _("This token has no scope “%(scope)s”: make one that has it.") % words,
            scope=scope.value, scopes=sorted(token.scopes),
        )  # fmt: skip
