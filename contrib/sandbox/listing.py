"""How much Keystone lists in one answer, and how one asks for the rest.

As releases do it: the newer page by `limit` and `marker`; the older (Xena) end a list at
their `list_limit` and give no next page. Both search by tag only in what they list.
"""

import urllib.parse
from typing import Any, TypeVar

from contrib.sandbox.calls import Call, Refusal
from contrib.sandbox.state import Project

Row = TypeVar("Row")


def page(call: Call, rows: list[Project]) -> tuple[list[Project], bool]:
    """The rows of one answer, and whether it is called truncated."""
    listing = call.cloud.listing
    rows = sorted(rows, key=lambda row: row.id)
    if not listing.has_pages:
        return at_most(call, rows)
    marker = call.query.get("marker")
    if marker:
        if marker not in call.cloud.projects:
            raise Refusal(404, f"Marker {marker} could not be found.")
        rows = [row for row in rows if row.id > marker]
    if not call.query.get("limit"):
        return rows[: listing.most], False  # cut without a word
    asked = min(_number(call.query["limit"]), listing.most)
    rows = rows[: asked or listing.most]
    # A full page is taken for one that has another after it.
    return rows, len(rows) >= asked


def at_most(call: Call, rows: list[Row]) -> tuple[list[Row], bool]:
    """What a list without pages holds of the rows, and whether it is called truncated."""
    listing = call.cloud.listing
    if listing.has_pages:
        return rows, False
    return rows[: listing.most], len(rows) > listing.most


def collection(
    call: Call, kind: str, rows: list[dict[str, Any]], is_truncated: bool
) -> dict[str, Any]:
    """The answer's JSON: {kind: rows, links}, and `truncated` where it is."""
    address = f"{call.base}/v3/{kind}"
    following = None
    if is_truncated and rows and call.cloud.listing.has_pages:
        query = call.query | {"marker": rows[-1]["id"]}
        following = f"{address}?{urllib.parse.urlencode(query)}"
    shown = f"{address}?{urllib.parse.urlencode(call.query)}" if call.query else address
    links = {"next": following, "self": shown, "previous": None}
    answer = {kind: rows, "links": links}
    return answer | {"truncated": True} if is_truncated else answer


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refusal(400, f"Invalid input for field 'limit': {text!r}") from None
