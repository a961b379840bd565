"""Makes a table safe to fold into blocks: explicit ARIA roles, and column names on cells.

Safari forgets what a table is once CSS changes its display, so each element says its role;
a folded cell has no column head in sight, so it carries the head's text in `data-label`.
Reads only tables of our own templates: well-formed, escaped, not nested.
"""

import re

_TAG = re.compile(r"<(?P<name>thead|tbody|tfoot|tr|th|td)\b(?P<attrs>[^>]*)>", re.IGNORECASE)
_HEAD = re.compile(r"<thead\b.*?</thead>", re.IGNORECASE | re.DOTALL)
_HEAD_CELL = re.compile(r"<th\b[^>]*>(?P<inside>.*?)</th>", re.IGNORECASE | re.DOTALL)
_HIDDEN = re.compile(r'<span class="sr">.*?</span>', re.DOTALL)
_MARKUP = re.compile(r"<[^>]+>")
_SPAN = re.compile(r'\bcolspan="(\d+)"')


def fold(rows: str) -> str:
    """Return the inside of a <table> with a role on every element and a label on every cell.

    A `td` keeps the `data-label` it has; `data-label=""` means none. Heads that only screen
    readers see give no label.
    """
    labels, column, pieces, end = _labels(rows), 0, [], 0
    for tag in _TAG.finditer(rows):
        name, attrs = tag["name"].lower(), tag["attrs"]
        if name == "tr":
            column = 0
        added = "" if "role=" in attrs else f' role="{_role(name, attrs)}"'
        if name == "td" and "data-label" not in attrs and column < len(labels) and labels[column]:
            added += f' data-label="{labels[column]}"'
        if name in {"td", "th"}:
            span = _SPAN.search(attrs)
            column += int(span[1]) if span else 1
        pieces.append(f"{rows[end : tag.start()]}<{tag['name']}{added}{attrs}>")
        end = tag.end()
    return "".join(pieces) + rows[end:]


def _labels(rows: str) -> list[str]:
    head = _HEAD.search(rows)
    if head is None:
        return []
    return [
        " ".join(_MARKUP.sub("", _HIDDEN.sub("", cell["inside"])).split()).replace('"', "&quot;")
        for cell in _HEAD_CELL.finditer(head[0])
    ]


def _role(name: str, attrs: str) -> str:
    if name == "th":
        return "rowheader" if 'scope="row"' in attrs else "columnheader"
    return {"td": "cell", "tr": "row"}.get(name, "rowgroup")
