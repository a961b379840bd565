"""Pages and lists beside their floors: one figure for each address."""

import gzip

from bench.parts.works import Look

from .client import Answer, Client, check
from .pairs import Act, Took, interleaved
from .places import HOST
from .rows import Figure

# Of an answer's queries the first few are of caches that live as long as the process.
FIRST = 3
PROXY_LEVEL = 6


def look(work: str, size: str, port: int, session: str, at: Look, seconds: float = 20.0) -> Figure:
    """A page of one person beside a floor, each on a kept connection of its own."""
    page, plain = Client(HOST, port, session), Client(HOST, port, session)
    for _each in range(FIRST):
        _ask(page, at)
        check(plain.get(at.floor), at.floor, 200)
    counted, packed = _ask(page, at, is_counted=True), _ask(page, at, is_packed=True)

    def ours() -> Took:
        answer = _ask(page, at)
        return Took(answer.seconds, answer.cpu_ms)

    pairs = interleaved(ours, getting(plain, at.floor), seconds=seconds)
    return Figure(
        work, size, pairs, queries=counted.queries, bytes=len(counted.body),
        compressed=_packed_bytes(packed), cpu_ms=pairs.cpu_ms,
    )  # fmt: skip


def _packed_bytes(answer: Answer) -> int:
    """As a browser gets it: what is not packed here is by the proxy in front, as nginx does."""
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

    def get() -> Took:
        answer = check(client.get(address), address, 200)
        return Took(answer.seconds, answer.cpu_ms)

    return get
