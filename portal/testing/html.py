"""Reads what a page says: its tags, ids and text, as a check or a person needs them."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "img", "br", "hr", "rect", "path", "use"}


class Reader(HTMLParser):
    """The tags of a piece of HTML; refuses one whose tags do not pair up."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the tag; called by the parser."""
        values = _plain(attrs)
        self.tags.append((tag, values))
        if found := values.get("id"):
            self.ids.append(found)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag that closes itself, as SVG has them."""
        self.tags.append((tag, _plain(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes what was opened last."""
        opened = self._open.pop() if self._open else None
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of every such tag, in order."""
        return [attrs for name, attrs in self.tags if name == tag]


def _plain(attrs: list[tuple[str, str | None]]) -> dict[str, str]:
    """An attribute without a value is there, and empty."""
    return {name: value or "" for name, value in attrs}


def text_of(html: str) -> str:
    """Return the words of a piece of HTML, thin spaces as spaces; entities stay as they are."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\u202f", " ").split())
