"""How an operation is told in the API's document: its words, answers and refusals."""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework import serializers

from .codes import TITLES
from .errors import CONTENT_TYPE
from .listing import CSV, CSV_TYPE, Listing, fields_parameter
from .shapes.problem import Problem

Shape = type[serializers.BaseSerializer[Any]] | serializers.BaseSerializer[Any]

# What anything signed-in may meet; `READ` is about one thing, `WRITE` changes it.
LIST = (401, 406, 422, 503)
READ = (401, 404, 406, 503)
WRITE = (400, 401, 403, 404, 406, 409, 413, 415, 422, 503)

FIELDS = fields_parameter()
# What the shape of an answer that may be a plan instead is called, behind the answer's own name.
OR_PLAN = "OrPlan"

_WORDS = {
    400: "malformed",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    406: "not_acceptable",
    409: "conflict",
    410: "marker_gone",
    412: "stale",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    428: "precondition_required",
    503: "unavailable",
}


class Etag(Enum):
    """What an operation has to do with the version of what it is about."""

    NONE = "none"
    # Its answer has a tag.
    GIVES = "gives"
    # If-Match is looked at, and not asked for.
    CHECKS = "checks"
    # Without If-Match, or the version in the body, it is refused.
    NEEDS = "needs"


def _header(name: str, about: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=about, **more
    )


ETAG = _header("ETag", "The version of what is shown.", response=[200, 201, 304])
IF_NONE_MATCH = _header("If-None-Match", "Tags that you have: 304 without a body for one of now.")
IF_MATCH = _header("If-Match", "The tag that you saw, or several: 412 where it is another by now.")
IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    "Yours, 1 to 255 printable ASCII characters: the same call with the same key has one effect "
    "and one answer for 7 days.",
)
DRY_RUN = OpenApiParameter(
    "dry_run", OpenApiTypes.BOOL, description="`true`: what it would do; nothing is stored."
)


def operation(
    name: str,
    summary: str,
    *,
    answers: Shape | Listing | None,
    refuses: Iterable[int],
    about: str = "",
    method: str = "GET",
    status: int = 200,
    body: Shape | None = None,
    filters: Sequence[Any] = (),
    tag: str,
    sent: Any = None,
    answered: Any = None,
    etag: Etag = Etag.NONE,
    plan: Shape | None = None,
    has_sheet: bool = False,
) -> Callable[[Any], Any]:
    """Describe one method of a view.

    has_sheet: what is no list in pages is to be had as CSV all the same.
    sent, answered: example values of body and answer; plan: what `dry_run=true` answers.
    """
    examples = [
        OpenApiExample(title, value=value, request_only=is_request, response_only=not is_request,
                       status_codes=None if is_request else [str(status)])
        for title, value, is_request in (("sent", sent, True), ("answered", answered, False))
        if value is not None
    ]  # fmt: skip
    listing = answers if isinstance(answers, Listing) else None
    shape = listing.page if listing else answers
    responses: dict[Any, Any] = {status: shape or OpenApiResponse(description="Done.")}
    parameters = [*filters, *_headers(method, etag), *([DRY_RUN] if plan is not None else [])]
    if listing is not None:
        responses = {(status, "application/json"): shape, CSV: CSV_TYPE}
        refuses = {*refuses, 410} if listing.changed is not None else refuses
        parameters += listing.parameters
    elif has_sheet:
        responses = {(status, "application/json"): shape, CSV: CSV_TYPE}
    elif method == "GET" and answers is not None:
        refuses = {*refuses, 422}
        parameters += [] if any(_has_fields(each) for each in filters) else [FIELDS]
    if etag == Etag.GIVES and method == "GET":
        responses[304] = OpenApiResponse(description="You have it as it is.")
    if plan is not None:
        responses[200] = _either(answers, plan) if status == 200 else plan
    for code in sorted({*refuses, *_REFUSED_BY_TAG[etag]}):
        responses[code, CONTENT_TYPE] = OpenApiResponse(Problem, description=TITLES[_WORDS[code]])
    described = extend_schema(
        methods=[method],
        operation_id=name,
        summary=summary,
        description=about or summary,
        tags=[tag],
        request=body,
        responses=responses,
        parameters=parameters,
        examples=examples,
    )

    def mark(view: Any) -> Any:
        if listing is not None:
            view.cls.listing = listing
        if any(_has_fields(each) for each in filters):
            view.cls.has_fields = True
        if has_sheet:
            view.cls.has_sheet = True
        if plan is not None:
            view.cls.has_dry_run = True
        return described(view)

    return mark


_REFUSED_BY_TAG = {
    Etag.NONE: (), Etag.GIVES: (), Etag.CHECKS: (412, 422), Etag.NEEDS: (412, 422, 428),
}  # fmt: skip


def _headers(method: str, etag: Etag) -> list[OpenApiParameter]:
    """What goes along in headers, in and out."""
    found = [IDEMPOTENCY_KEY] if method == "POST" else []
    if etag == Etag.GIVES:
        found += [IF_NONE_MATCH, ETAG] if method == "GET" else [ETAG]
    elif etag != Etag.NONE:
        found.append(IF_MATCH)
    return found


def _either(answers: Any, plan: Any) -> PolymorphicProxySerializer:
    """What was done, or what would be."""
    name = f"{answers.__name__.removesuffix('Serializer')}{OR_PLAN}"
    return PolymorphicProxySerializer(name, [answers, plan], resource_type_field_name=None)


def _has_fields(filters: Any) -> bool:
    """Whether `fields` is told already, by what has rows of its own."""
    return isinstance(filters, OpenApiParameter) and filters.name == "fields"
