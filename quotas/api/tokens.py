"""Tokens: read with scope `read`, made and changed by people alone. One may end itself."""

from uuid import UUID

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import NotVisible
from projects.actions import tokens
from projects.models import ApiToken, ServiceAccount
from projects.queries.service_accounts import visible_accounts, visible_tokens
from projects.queries.tokens import tokens_in_force
from projects.queries.viewers import Viewer

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .fields import Filters, PublicId, YesNoInAddress
from .once import without_secret
from .pages import answer_page, page_of
from .scopes import Needs, needs
from .shapes.requests import NothingInput
from .shapes.tokens import NewTokenSerializer, RotateInput, TokenInput, TokenSerializer
from .versions import tagged, text_matched

TAG = "tokens"
BY_PEOPLE = "Only for a person who signed in: no token makes another. "


class TokenFilters(Filters):
    live = YesNoInAddress(required=False, help_text="In force now, or not.")
    service_account = PublicId(required=False)


@needs(Needs.A_PERSON)
@shows("own")
@operation(
    "list_tokens", "List the tokens you may see", answers=page_of(TokenSerializer, "-id", "id"),
    refuses=LIST, tag=TAG, filters=[TokenFilters],
    about="Your own, and those of service accounts that you own or keep; operators and auditors "
    "see all. Never a secret.",
)  # fmt: skip
@operation(
    "make_token", "Make a token", method="POST", body=TokenInput, answers=NewTokenSerializer,
    status=201, refuses=WRITE, tag=TAG,
    about=BY_PEOPLE + "Its text is in this answer and nowhere else.",
)  # fmt: skip
@api_view(["GET", "POST"])
def token_list(request: Request) -> HttpResponseBase:
    viewer = viewer_in(request)
    if request.method == "POST":
        sent = body(request, TokenInput)
        account = _account(viewer, sent.pop("service_account"))
        made = tokens.make(**sent, account=account, actor=viewer.user, now=viewer.now)
        return _shown_once(made, viewer, status=201)
    asked = filters(request, TokenFilters)
    rows = visible_tokens(viewer)
    if "service_account" in asked:
        rows = rows.filter(service_account__public_id=asked["service_account"])
    if "live" in asked:
        live = tokens_in_force(viewer.now).values("pk")
        rows = rows.filter(pk__in=live) if asked["live"] else rows.exclude(pk__in=live)
    return answer_page(request, rows, TokenSerializer, context=lambda page: {"now": viewer.now})


@shows("token")
@operation(
    "get_token", "Show a token", answers=TokenSerializer, refuses=READ, tag=TAG, etag=Etag.GIVES,
)  # fmt: skip
@api_view(["GET"])
def token_detail(request: Request, public_id: str) -> Response:
    viewer = viewer_in(request)
    return _shown(one(visible_tokens(viewer), public_id=public_id), viewer)


@needs(Needs.A_PERSON)
@shows("end token")
@operation(
    "revoke_token", "End a token at once", method="POST", body=NothingInput,
    answers=TokenSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about=BY_PEOPLE.replace("no token makes another", "a token ends itself by `current`")
    + "For its holder, the owner of its account, whoever keeps the programs there, an operator.",
)  # fmt: skip
@api_view(["POST"])
def token_revoke(request: Request, public_id: str) -> Response:
    viewer = viewer_in(request)
    found = one(visible_tokens(viewer), public_id=public_id)
    body(request, NothingInput)
    seen = text_matched(request, found.version)
    tokens.revoke(token=found, version=seen, actor=viewer.user, now=viewer.now)
    return _shown(one(visible_tokens(viewer), public_id=public_id), viewer)


@needs(Needs.A_PERSON)
@shows("rotate token")
@operation(
    "rotate_token", "Replace a token by one with another secret", method="POST",
    body=RotateInput, answers=NewTokenSerializer, status=201, refuses=WRITE, tag=TAG,
    etag=Etag.CHECKS,
    about=BY_PEOPLE + "For whoever it acts for. The new one has an id of its own.",
)  # fmt: skip
@api_view(["POST"])
def token_rotate(request: Request, public_id: str) -> Response:
    viewer = viewer_in(request)
    found = one(visible_tokens(viewer), public_id=public_id)
    sent = body(request, RotateInput)
    made = tokens.rotate(
        token=found, overlap=sent["overlap_hours"], ends_at=sent["ends_at"],
        version=text_matched(request, found.version), actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return _shown_once(made, viewer, status=201)


@shows("no token")
@operation(
    "get_current_token", "Show the token that you call with", answers=TokenSerializer,
    refuses=READ, tag=TAG, etag=Etag.GIVES, about="404 for a person who signed in.",
)  # fmt: skip
@api_view(["GET"])
def current_token(request: Request) -> Response:
    return _shown(_current(request), viewer_in(request))


@needs(Needs.ANY_TOKEN)
@shows("no token")
@operation(
    "revoke_current_token", "End the token that you call with", method="POST",
    body=NothingInput, answers=None, status=204, refuses=WRITE, tag=TAG,
    about="For a program that is done, or that finds its token in the wrong place. Any scope.",
)  # fmt: skip
@api_view(["POST"])
def current_revoke(request: Request) -> Response:
    viewer, found = viewer_in(request), _current(request)
    body(request, NothingInput)
    tokens.revoke(token=found, actor=viewer.user, now=viewer.now)
    return Response(status=204)


def _current(request: Request) -> ApiToken:
    if not isinstance(request.auth, ApiToken):
        raise NotVisible(_("You called without a token."))
    return request.auth


def _account(viewer: Viewer, public_id: UUID | None) -> ServiceAccount | None:
    if public_id is None:
        return None
    found = visible_accounts(viewer).filter(public_id=public_id).first()
    if found is None:
        raise NotVisible(_("There is no such service account."))
    return found


def _shown(token: ApiToken, viewer: Viewer) -> Response:
    return tagged(TokenSerializer(token, context={"now": viewer.now}).data, token.version)


def _shown_once(made: tuple[ApiToken, str], viewer: Viewer, *, status: int) -> Response:
    token, text = made
    told = NewTokenSerializer(token, context={"now": viewer.now, "text": text}).data
    answer = Response(told, status=status, headers={"Cache-Control": "no-store"})
    return without_secret(answer, "token")
