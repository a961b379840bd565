"""The one way into the API: `api_view` makes a view of a function, as the framework's does.

Beside what the framework asks of a call (who, in which form), each call meets here what a
token may be used for; a POST that carries an Idempotency-Key has one effect, a GET of what the
caller has already is 304, and what has no dry run is not done because it was asked for one.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.lib import pace
from projects.models import ApiToken
from projects.states import TokenScope

from .listing import Listing
from .once import HEADER, answer_once
from .pages import narrowed
from .rehearsals import is_dry_run
from .scopes import OF_ROW, Needs, check_scope
from .sheets import Sheet
from .versions import unless_known

# A list may stream its answer.
Handler = Callable[..., HttpResponseBase]
View = Callable[..., HttpResponseBase]


class Door(APIView):
    """A view of the API. Its row of the table of access tells the scope for changes, or `scope`."""

    access_row: str = ""
    scope: TokenScope | Needs | None = None
    has_dry_run: bool = False
    rate: pace.Pace | None = None
    # What a list can do; None: no list in pages.
    listing: Listing | None = None
    # Whether it reads `fields` itself; all others are narrowed here.
    has_fields: bool = False
    # Whether it has a sheet though it is no list in pages.
    has_sheet: bool = False

    def check_throttles(self, request: Request) -> None:
        """Raises Throttled for a caller who is too fast: a token, or a person who signed in."""
        token = request.auth
        kind, who = ("token", token) if isinstance(token, ApiToken) else ("person", request.user)
        self.rate = pace.take(f"{kind}:{who.pk}")
        if self.rate is not None and not self.rate.is_allowed:
            raise Throttled(self.rate.wait_seconds, _("You call too often."))

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if self.rate is not None:
            for name, value in self.rate.headers().items():
                answer[name] = value
        return answer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if isinstance(request.auth, ApiToken):
            check_scope(
                request.auth, request.method or "", self.scope or OF_ROW.get(self.access_row)
            )

    def get_renderers(self) -> list[BaseRenderer]:
        """A list is also to be had as CSV."""
        has_sheet = self.listing is not None or self.has_sheet
        is_list = has_sheet and self.request.method == "GET"
        return [*super().get_renderers(), *([Sheet()] if is_list else [])]


def api_view(methods: Sequence[str]) -> Callable[[Handler], View]:
    """Make a view that answers these methods by the function below."""

    def make(function: Handler) -> View:
        def handle(view: Door, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "GET":
                return _read(view, request, function(request, *args, **kwargs))
            is_rehearsed = is_dry_run(request, view.has_dry_run)
            if request.method == "POST" and HEADER in request.headers and not is_rehearsed:
                return answer_once(view, request, lambda: _kept(function(request, *args, **kwargs)))
            return function(request, *args, **kwargs)

        members: dict[str, Any] = {method.lower(): handle for method in methods}
        members |= {
            "__doc__": function.__doc__,
            "__module__": function.__module__,
            "http_method_names": [*members, "options"],
        }
        made: type[Door] = type(function.__name__, (Door,), members)
        return made.as_view()

    return make


def _read(view: Door, request: Request, answer: HttpResponseBase) -> HttpResponseBase:
    """The answer to a GET as it was asked for: with the fields named alone, or 304."""
    if not isinstance(answer, Response):
        return answer
    is_narrowed = view.has_fields or view.listing is not None
    return unless_known(request, answer if is_narrowed else narrowed(request, answer))


def _kept(answer: HttpResponseBase) -> Response:
    """The answer of what changes something: never a stream."""
    if not isinstance(answer, Response):  # pragma: no cover - only lists stream
        raise TypeError(answer)
    return answer
