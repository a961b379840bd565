"""What the API's document says beside what each view says of itself: hooks of its generation.

Words for each tag, the scope that a token needs, refusals said once, and examples of what each
operation takes and answers (examples.json: `make examples`).
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from drf_spectacular.openapi import AutoSchema

from projects.states import TokenScope

from .codes import CODES, type_of
from .describe import OR_PLAN
from .errors import CONTENT_TYPE
from .rehearsals import PARAMETER
from .scopes import OF_ROW, SAFE, Needs

EXAMPLES = Path(__file__).with_name("examples.json")
JSON = "application/json"
METHODS = ("get", "post", "put", "patch", "delete")

TAGS = {
    "people": "Who calls and with which powers, who is at the site and who has left.",
    "catalogue": "What can be asked for: regions, zones, resources, offerings and presets.",
    "units": "The organisation, what its units have to give out, and who gave it to them.",
    "ledger": "Who has what of each offering, and each movement of it.",
    "projects": "Projects, their members, and what they have.",
    "requests": "Asking for quota, from the wish to the limit that was read back.",
    "decisions": "What waits for you, what you make of it, and why that was allowed.",
    "delegations": "Who may decide how much and where, and handing it on.",
    "policies": "Rules that grant at once what fits them.",
    "tokens": "How programs call: tokens, and the service accounts that hold them.",
    "webhooks": "Being told by a call of what happens, and what became of each call.",
    "announcements": "What operators tell the people of projects.",
    "notices": "What you were told of.",
    "mail": "What you get by mail, and whether it goes out.",
    "operations": "Services, and what must become true at each.",
    "problems": "What is not applied and why, by its cause.",
    "drift": "What others changed in a cloud, and what becomes of it.",
    "jobs": "Long work, how far it is, and what became of each item.",
    "events": "The append-only record of acts, complete and in order.",
}


class Operation(AutoSchema):
    """Of each operation: who may call it, and with which scope of a token."""

    def get_auth(self) -> list[dict[str, Any]]:
        scope = scope_of(self.view, self.method)
        tokens: list[dict[str, Any]] = []
        if isinstance(scope, TokenScope):
            tokens = [{"token": [scope.value]}]
        elif scope is Needs.ANY_TOKEN:
            tokens = [{"token": []}]
        return [*tokens, {"session": []}]


def scope_of(view: Any, method: str) -> TokenScope | Needs | None:
    """What a token must hold for a method of a Door; None: no token is for that."""
    if method in SAFE:
        return TokenScope.READ
    needed: TokenScope | Needs | None = view.scope or OF_ROW.get(view.access_row)
    return needed


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(address, method, operation) of a whole document."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


def describe_tags(result: dict[str, Any], **_more: Any) -> dict[str, Any]:
    """Words for each tag that is used, in the order in which they are read."""
    used = {tag for _path, _method, each in operations(result) for tag in each["tags"]}
    known = [tag for tag in TAGS if tag in used]
    result["tags"] = [
        {"name": tag, "description": TAGS.get(tag, "")}
        for tag in [*known, *sorted(used - set(known))]
    ]
    return result


def allow_either(result: dict[str, Any], **_more: Any) -> dict[str, Any]:
    """What was done, or what would be: a plan that tells the same and more is both."""
    schemas = result["components"]["schemas"]
    for name in (each for each in schemas if each.endswith(OR_PLAN)):
        schemas[name] = {"anyOf": schemas[name]["oneOf"]}
    return result


def share_refusals(result: dict[str, Any], **_more: Any) -> dict[str, Any]:
    """Each refusal stands once in the document; an operation names those that it may answer."""
    shared: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    for _path, _method, each in operations(result):
        for status, answer in each["responses"].items():
            if CONTENT_TYPE not in answer.get("content", {}):
                continue
            name = names.setdefault(status, _name(status))
            refusal = shared.setdefault(name, _refusal(answer, int(status)))
            if refusal["description"].startswith(answer["description"]):
                each["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    result["components"]["responses"] = dict(sorted(shared.items()))
    return result


def _name(status: str) -> str:
    """A refusal is named by the first code of its status."""
    return next(code for code, each in CODES.items() if each.status == int(status))


def _refusal(answer: dict[str, Any], status: int) -> dict[str, Any]:
    codes = {code: each for code, each in CODES.items() if each.status == status}
    content = dict(answer["content"][CONTENT_TYPE])
    content["examples"] = {
        code: {"summary": each.title, "value": _problem(code)} for code, each in codes.items()
    }
    words = answer["description"] + f" (`{'`, `'.join(codes)}`)"
    return {**answer, "description": words, "content": {CONTENT_TYPE: content}}


def _problem(code: str) -> dict[str, Any]:
    known = CODES[code]
    return {
        "type": type_of(code), "title": known.title, "status": known.status, "code": code,
        "detail": str(known.when), "errors": [], "facts": {}, "links": {},
    }  # fmt: skip


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """{operation id: {"sent", "answered", "planned": body}}, each where there is one."""
    found: dict[str, dict[str, Any]] = json.loads(EXAMPLES.read_text())
    return found


def add_examples(result: dict[str, Any], **_more: Any) -> dict[str, Any]:
    """What was recorded, where a view gives no example of its own."""
    for _path, _method, each in operations(result):
        known = recorded().get(each["operationId"], {})
        for kind, place in example_places(each):
            title = kind.capitalize()
            if kind in known and title not in place.get("examples", {}):
                place.setdefault("examples", {})[title] = {"value": known[kind]}
    return result


def example_places(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """("sent", "answered" or "planned", the part of the document that holds its examples).

    planned: what a dry run answers; it may share a place with what was done.
    """
    body = operation.get("requestBody", {}).get("content", {})
    if JSON in body:
        yield "sent", body[JSON]
    done = [
        answer["content"][JSON]
        for status, answer in sorted(operation["responses"].items())
        if status.startswith("2") and JSON in answer.get("content", {})
    ]
    if done and has_plan(operation):
        yield "planned", done[0]
    if done:
        yield "answered", done[-1]


def has_plan(operation: dict[str, Any]) -> bool:
    """Whether there is a dry run of it."""
    return any(each.get("name") == PARAMETER for each in operation.get("parameters", ()))
