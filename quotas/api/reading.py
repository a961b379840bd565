"""The API's document as people read it: its operations by subject, with shapes as plain rows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from .document import JSON, operations
from .published import published

MOST_DEPTH = 4
_WORDS = {"string": "text", "object": "{…}", "array": "list", "null": "null"}


@dataclass(frozen=True)
class Row:
    """A field of a shape, or a parameter; place: of a parameter, `path`, `query` or `header`."""

    name: str
    kind: str
    about: str
    is_required: bool
    place: str = ""


@dataclass(frozen=True)
class Shape:
    """What goes in or comes out: its fields, and an example as text."""

    rows: tuple[Row, ...]
    example: str


@dataclass(frozen=True)
class Answer:
    """A status with what it means; code: of a refusal, the code that has a page."""

    status: str
    about: str
    shape: Shape | None = None
    code: str = ""


@dataclass(frozen=True)
class Described:
    """One operation. scope: what a token needs, "any"; empty: no token is for it."""

    id: str
    method: str
    path: str
    summary: str
    about: str
    scope: str
    parameters: tuple[Row, ...]
    body: Shape | None
    answers: tuple[Answer, ...]
    refusals: tuple[Answer, ...]


@dataclass(frozen=True)
class Subject:
    """A tag with its operations."""

    tag: str
    about: str
    operations: tuple[Described, ...]


@cache
def subjects() -> dict[str, Subject]:
    """Every subject by its tag, in the order of the document; made once for each process."""
    document = published().document
    found: dict[str, list[Described]] = {each["name"]: [] for each in document["tags"]}
    for path, method, operation in operations(document):
        found[operation["tags"][0]].append(_described(document, path, method, operation))
    words = {each["name"]: each["description"] for each in document["tags"]}
    return {tag: Subject(tag, words[tag], tuple(rows)) for tag, rows in found.items()}


def _described(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any]
) -> Described:
    about = operation["description"]
    scopes = [each["token"] for each in operation["security"] if "token" in each]
    content = operation.get("requestBody", {}).get("content", {})
    answers = [_answer(document, status, each) for status, each in operation["responses"].items()]
    return Described(
        id=operation["operationId"], method=method.upper(), path=path,
        summary=operation["summary"], about="" if about == operation["summary"] else about,
        scope=(" ".join(scopes[0]) or "any") if scopes else "",
        parameters=tuple(_parameter(document, each) for each in operation.get("parameters", [])),
        body=_shape(document, content[JSON]) if JSON in content else None,
        answers=tuple(each for each in answers if not each.code),
        refusals=tuple(each for each in answers if each.code),
    )  # fmt: skip


def _parameter(document: dict[str, Any], each: dict[str, Any]) -> Row:
    each = _found(document, each)
    about = each.get("description", "")
    return Row(
        each["name"], _kind(document, each["schema"]), about, each.get("required", False),
        each["in"],
    )  # fmt: skip


def _answer(document: dict[str, Any], status: str, each: dict[str, Any]) -> Answer:
    code = each.get("$ref", "").rpartition("/")[2]
    each = _found(document, each)
    content = each.get("content", {})
    if code or "application/problem+json" in content:
        return Answer(status, each["description"], code=code or "refused")
    shape = _shape(document, content[JSON]) if JSON in content else None
    return Answer(status, each.get("description", ""), shape)


def _shape(document: dict[str, Any], content: dict[str, Any]) -> Shape:
    examples = [each["value"] for each in content.get("examples", {}).values()]
    text = json.dumps(examples[0], indent=2, ensure_ascii=False) if examples else ""
    return Shape(tuple(_rows(document, content["schema"])), text)


def _rows(
    document: dict[str, Any], schema: dict[str, Any], before: str = "", depth: int = 0
) -> Iterator[Row]:
    """The fields of a shape, those inside of others after them as `lines[].offering`."""
    schema = _found(document, schema)
    for part in (*schema.get("allOf", []), *schema.get("oneOf", []), *schema.get("anyOf", [])):
        yield from _rows(document, part, before, depth)
    if "items" in schema:
        yield from _rows(document, schema["items"], f"{before}[]", depth)
    for name, inner in schema.get("properties", {}).items():
        full = f"{before}.{name}" if before else name
        told = inner | _found(document, inner)
        is_required = name in schema.get("required", [])
        about = inner.get("description") or told.get("description", "")
        yield Row(full, _kind(document, inner), about, is_required)
        if depth < MOST_DEPTH:
            yield from _rows(document, inner, full, depth + 1)


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> str:
    schema = _found(document, schema)
    parts = [*schema.get("oneOf", []), *schema.get("anyOf", []), *schema.get("allOf", [])]
    if parts:
        return " or ".join(dict.fromkeys(_kind(document, each) for each in parts))
    if "enum" in schema:
        return ", ".join(json.dumps(each, ensure_ascii=False) for each in schema["enum"])
    if "items" in schema:
        return f"list of {_kind(document, schema['items'])}"
    kinds = schema.get("type", "any")
    words = [_WORDS.get(each, each) for each in ([kinds] if isinstance(kinds, str) else kinds)]
    form = schema.get("format", "")
    return " or ".join(words) + (f" ({form})" if form and form != "int64" else "")


def _found(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """What a reference points at."""
    while "$ref" in part:
        place: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        part = place
    return part
