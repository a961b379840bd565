"""Reading a JSON body: bounded, and only what means one thing."""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class StrictJSONParser(BaseParser):
    """JSON in UTF-8 of a bounded size; no NaN, and no key twice: which one would count?"""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(most + 1)
        if len(raw) > most:
            raise RequestDataTooBig
        try:
            return json.loads(
                raw.decode(), object_pairs_hook=_unique_keys, parse_constant=_no_constant
            )
        # Deep nesting exhausts the stack of the decoder, not ours.
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is no JSON: %(error)s") % {"error": error}) from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(_("a key is there twice"))
    return found


def _no_constant(name: str) -> None:
    raise ValueError(_("%(name)s is no number") % {"name": name})
