"""Pages and lists beside their floors: one figure for each address."""

from .client import Client, check
from .pairs import Act, Took, interleaved
from .places import HOST
from .rows import Figure

# Of an answer's queries the first few are of caches that live as long as the process.
FIRST = 3


def look(
    work: str, size: str, port: int, session: str, address: str, floor: str,
    seconds: float = 20.0,
) -> Figure:  # fmt: skip
    """A page of one person beside a floor, on a kept connection of each."""
    page, plain = Client(HOST, port, session), Client(HOST, port, session)
    for _each in range(FIRST):
        check(page.get(address), address, 200)
        check(plain.get(floor), floor, 200)
    counted = check(page.get(address, is_counted=True), address, 200)
    packed = check(page.get(address, is_packed=True), address, 200)
    pairs = interleaved(getting(page, address), getting(plain, floor), seconds=seconds)
    return Figure(
        work, size, pairs, queries=counted.queries, bytes=len(counted.body),
        compressed=packed.wire_bytes, cpu_ms=pairs.cpu_ms,
    )  # fmt: skip


def getting(client: Client, address: str) -> Act:
    """The act of reading it; any answer but 200 ends the measurement."""

    def get() -> Took:
        answer = check(client.get(address), address, 200)
        return Took(answer.seconds, answer.cpu_ms)

    return get
