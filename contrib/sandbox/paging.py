"""Lists that take `limit` and `marker` and link to the next page, as most services give them."""

import urllib.parse
from typing import Any

from contrib.sandbox.calls import Answer, Call


def linked_page(call: Call, path: str, name: str, rows: list[dict[str, Any]]) -> Answer:
    """{name: rows of this page, name_links: [next]}; rows by their id."""
    rows = sorted(rows, key=lambda row: str(row["id"]))
    marker, limit = call.query.get("marker"), call.query.get("limit")
    if marker is not None:
        rows = [row for row in rows if str(row["id"]) > marker]
    links = []
    if limit is not None and len(rows) > int(limit) > 0:
        rows = rows[: int(limit)]
        query = urllib.parse.urlencode({**call.query, "marker": rows[-1]["id"]})
        links.append({"rel": "next", "href": f"{call.base}{path}?{query}"})
    return Answer(200, {name: rows, f"{name}_links": links})
