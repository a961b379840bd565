"""Which version of a thing its caller saw: ETag, If-None-Match, If-Match (RFC 9110), 428.

A tag is `"<version>.<hash of what is shown>"`. Reading again compares all of it. Changing and
deciding compare the version alone: balances and deliveries are shown too and change by
themselves, and what of them a decision rests on goes along as `seen`.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import DomainError, Invalid, Stale

IF_MATCH = "If-Match"
IF_NONE_MATCH = "If-None-Match"
# What one person sees is kept for nobody else, and asked for each time.
KEPT_BY_CALLER = {"Cache-Control": "private, no-cache"}
# Versions begin at 1: whoever saw this one saw none of ours.
NEVER = 0

_TAG = re.compile(r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"')
_BETWEEN = re.compile(r"[ \t]*(,[ \t]*)+")
_OURS = re.compile(r"(?P<version>[0-9a-z-]+)\.[0-9a-f]{16}")


class PreconditionRequired(DomainError):
    """A decision without a word on what it is about."""

    status = 428
    code = "precondition_required"


def etag_of(version: object, shown: Any) -> str:
    """The tag of what is shown (JSON values). version: changes with every edit; [0-9a-z-]+."""
    digest = hashlib.sha256(JSONRenderer().render(shown)).hexdigest()[:16]
    return f'"{version}.{digest}"'


def tagged(
    shown: Any, version: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that shows one thing, with its tag; headers: of its own, they win."""
    tag = {"ETag": etag_of(version, shown)}
    return Response(shown, status, headers={**KEPT_BY_CALLER, **tag, **(headers or {})})


def unless_known(request: Request, answer: Response) -> Response:
    """The answer to a GET; 304 without a body where the caller has it as it is."""
    tag, asked = answer.headers.get("ETag"), request.headers.get(IF_NONE_MATCH)
    if tag is None or asked is None or answer.status_code != 200:
        return answer
    try:
        known = _read(asked)
    except ValueError:
        # Nothing that could be known: they get all of it.
        return answer
    if known is not None and all(f'"{opaque}"' != tag for _weak, opaque in known):
        return answer
    return Response(status=304, headers={**KEPT_BY_CALLER, "ETag": tag})


def version_seen(request: Request, in_body: int | None, current: int) -> int:
    """The version that a decision is about: of If-Match, or `version` in the body.

    current: of now, as read without a lock; whether it still is that is the action's question,
    whose refusal has the figures. `*` names none. Raises PreconditionRequired where there is
    neither, Invalid where they differ.
    """
    named = _named(request)
    if named is None:
        if in_body is None:
            sentence = _("Say which version you saw: its ETag as If-Match, or `version`.")
            raise PreconditionRequired(sentence)
        return in_body
    if in_body is not None and named and str(in_body) not in named:
        raise Invalid({"version": [_("If-Match names another version: send one of the two.")]})
    if in_body is not None and named:
        return in_body
    return current if str(current) in named else NEVER


def version_matched(request: Request, current: int) -> int | None:
    """The version that If-Match asks for, for verbs that do without it; None: any will do."""
    named = _named(request)
    if named is None:
        return None
    return current if str(current) in named else NEVER


def text_matched(request: Request, current: str) -> str | None:
    """As `version_matched`, of what tells its versions by texts."""
    named = _named(request)
    if named is None:
        return None
    return current if current in named else ""


def check_match(request: Request, version: object, sentence: str) -> bool:
    """Whether If-Match asked for this version; raises Stale where it asked for another one."""
    named = _named(request)
    if named is not None and str(version) not in named:
        raise Stale(sentence, version=version)
    return named is not None


def _named(request: Request) -> frozenset[str] | None:
    """The versions that If-Match names; None: there is none, or `*`.

    Compared strongly: a weak tag names nothing, nor does one that is not ours. Raises Invalid.
    """
    asked = request.headers.get(IF_MATCH)
    if asked is None:
        return None
    try:
        tags = _read(asked)
    except ValueError as error:
        sentence = _("Send the ETag as you got it, with its quotes; several with commas between.")
        raise Invalid({IF_MATCH: [sentence]}) from error
    if tags is None:
        return None
    ours = [_OURS.fullmatch(opaque) for is_weak, opaque in tags if not is_weak]
    return frozenset(each["version"] for each in ours if each)


def _read(text: str) -> list[tuple[bool, str]] | None:
    """(is weak, what is between the quotes) of each tag; None: `*`. Raises ValueError."""
    text = text.strip(" \t")
    if text == "*":
        return None
    found: list[tuple[bool, str]] = []
    place = 0
    text = text.strip(", \t")
    while place < len(text):
        if found:
            comma = _BETWEEN.match(text, place)
            if comma is None:
                raise ValueError(text)
            place = comma.end()
        tag = _TAG.match(text, place)
        if tag is None:
            raise ValueError(text)
        found.append((tag["weak"] is not None, tag["opaque"]))
        place = tag.end()
    if not found:
        raise ValueError(text)
    return found
