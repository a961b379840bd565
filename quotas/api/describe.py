"""How an operation is told in the API's document: its words, answers and refusals."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers

from .errors import CONTENT_TYPE, TITLES
from .shapes.problem import Problem

Shape = type[serializers.BaseSerializer[Any]] | serializers.BaseSerializer[Any]

# What anything signed-in may meet; `READ` is about one thing, `WRITE` changes it.
LIST = (401, 406, 422, 503)
READ = (401, 404, 406, 503)
WRITE = (400, 401, 403, 404, 406, 409, 413, 415, 422, 503)

_WORDS = {
    400: "malformed",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    406: "not_acceptable",
    409: "conflict",
    412: "stale",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    503: "unavailable",
}


def operation(
    name: str,
    summary: str,
    *,
    answers: Shape | None,
    refuses: Iterable[int],
    about: str = "",
    method: str = "GET",
    status: int = 200,
    body: Shape | None = None,
    filters: Sequence[Any] = (),
    tag: str,
    sent: Any = None,
    answered: Any = None,
) -> Callable[[Any], Any]:
    """Describe one method of a view. sent, answered: example values of body and answer."""
    examples = [
        OpenApiExample(title, value=value, request_only=is_request, response_only=not is_request,
                       status_codes=None if is_request else [str(status)])
        for title, value, is_request in (("sent", sent, True), ("answered", answered, False))
        if value is not None
    ]  # fmt: skip
    responses: dict[Any, Any] = {status: answers or OpenApiResponse(description="Done.")}
    for code in sorted(set(refuses)):
        responses[code, CONTENT_TYPE] = OpenApiResponse(Problem, description=TITLES[_WORDS[code]])
    return extend_schema(
        methods=[method],
        operation_id=name,
        summary=summary,
        description=about or summary,
        tags=[tag],
        request=body,
        responses=responses,
        parameters=list(filters),
        examples=examples,
    )
