"""Pages and lists beside their floors: who asks for what, and one figure for each address."""

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .client import Answer, Client, check
from .pairs import Act, Took, interleaved
from .places import HOST
from .rows import Figure

# Of an answer's queries the first few are of caches that live as long as the process.
FIRST = 3
# What the proxy in front packs pages with (docs/operate.md).
PROXY_LEVEL = 6
# Rows of tables and items of lists; floors mark the rows that they were asked for.
ITEMS = r"<(?:tr|li)\b"
FLOOR_ROW = r"<tr data-row>"
LIKE = "{rows}"


@dataclass(frozen=True)
class Look:
    """Who asks for which address, what it is compared with, and what a form posts, if it is one.

    floor: with "{rows}" in it, a floor of as many rows as the page has. mark: what each row of the
    page has once, a pattern (of JSON the rows are counted); rows: how many there must be, None: as
    many as there are. headers: beside those of every call.
    """

    person: int
    address: str
    floor: str
    mark: str = ITEMS
    rows: int | None = None
    posts: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def look(work: str, size: str, port: int, session: str, at: Look, seconds: float = 20.0) -> Figure:
    """A page of one person beside a floor of as many rows, each on a kept connection of its own.

    Raises AssertionError where either has another number of rows than it should.
    """
    page, plain = Client(HOST, port, session), Client(HOST, port, session)
    rows = rows_in(_ask(page, at), at.mark)
    floor = at.floor.replace(LIKE, str(rows))
    besides = rows_in(check(plain.get(floor), floor, 200), FLOOR_ROW)
    check_rows(at, rows, besides)
    for _each in range(FIRST):
        _ask(page, at)
        check(plain.get(floor), floor, 200)
    counted, packed = _ask(page, at, is_counted=True), _ask(page, at, is_packed=True)
    pairs = interleaved(lambda: Took.of(_ask(page, at)), getting(plain, floor), seconds=seconds)
    return Figure(
        work, size, pairs, queries=counted.queries, bytes=len(counted.body),
        compressed=_packed_bytes(packed), cpu_ms=pairs.cpu_ms, rows=rows,
    )  # fmt: skip


def rows_in(answer: Answer, mark: str) -> int:
    """How many rows an answer shows: of JSON by its list, else by the mark in the main part."""
    if answer.headers["content-type"].startswith("application/json"):
        found = json.loads(answer.body)
        return len(found if isinstance(found, list) else found["results"])
    page = answer.body.decode()
    return len(re.findall(mark, page[max(page.find("<main"), 0) :].partition("</main>")[0]))


def check_rows(at: Look, rows: int, besides: int) -> None:
    """Raise AssertionError unless page and floor have as many as are compared, at least one."""
    wanted = at.rows or max(rows, 1)
    if (rows, besides) != (wanted, wanted):
        raise AssertionError(
            f"{at.address} shows {rows} rows and its floor {besides}, where {wanted} are compared"
        )


def _packed_bytes(answer: Answer) -> int:
    """As a site's proxy sends it, which packs what is not packed here."""
    if "content-encoding" in answer.headers:
        return answer.wire_bytes
    return len(gzip.compress(answer.body, PROXY_LEVEL))


def _ask(client: Client, at: Look, *, is_counted: bool = False, is_packed: bool = False) -> Answer:
    headers = {**at.headers, **({"Accept-Encoding": "gzip"} if is_packed else {})}
    if at.posts is None:
        answer = client.get(at.address, is_counted=is_counted, headers=headers)
    else:
        answer = client.post(at.address, at.posts, is_counted=is_counted, headers=headers)
    return check(answer, at.address, 200)


def getting(client: Client, address: str) -> Act:
    """The act of reading it; any answer but 200 ends the measurement."""
    return lambda: Took.of(check(client.get(address), address, 200))
