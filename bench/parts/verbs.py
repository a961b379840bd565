"""What people do: submit, approve, approve and see the queue again, a hundred approved at once.

Each request is asked for and approved here, over and over, so that a site of any size has enough
of them; the hundred are taken from what waits.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from bench.harness.client import Answer, Client, check
from bench.harness.looks import getting
from bench.harness.pairs import Took, interleaved
from bench.harness.people import Who, sign_in
from bench.harness.places import HOST
from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from bench.harness.web import web
from quotas.models import RequestLine
from quotas.states import LineState

from .bulk import bulk_figures
from .chosen import Asking, askings, shown_of
from .works import FIFTY, who_is_who

PAIRS, LEAST = 60, 15
# Enough that each has a decision or two.
PROJECTS = 120
Fields = Mapping[str, str | list[str]]


@dataclass
class Desk:
    """Who asks and who decides, on connections of their own, and what is asked for in turn."""

    askings: deque[tuple[Asking, Client]]
    decider: Client
    floor: Client
    # Who asked last, and the request that it became.
    asker: Client
    number: int = 0

    @classmethod
    def of(cls, who: Who, port: int) -> "Desk":
        found = askings(who, PROJECTS)
        if not found:
            raise AssertionError("Nobody can ask for anything that waits for the decider")
        clients = [Client(HOST, port, sign_in(each.asker)) for each in found]
        key = sign_in(who.decider)
        turns = deque(zip(found, clients, strict=True))
        return cls(turns, Client(HOST, port, key), Client(HOST, port, key), clients[0])

    def submit(self, *, is_counted: bool = False) -> Answer:
        """Ask for one step more in the next project, and be led to the request.

        Where a rule grants it at once, the next project is asked for instead.
        """
        while True:
            about, self.asker = self.askings[0]
            fields: Fields = {
                "do": "send", "project": about.project, "region": about.region,
                f"amount-{about.offering}": "+" + about.step, "reason": "More for the next run",
            }  # fmt: skip
            answer = check(
                self.asker.post("/requests/new/", fields, is_counted=is_counted), "submit", 302
            )
            self.number = int(answer.location.strip("/").rpartition("/")[2])
            if self._open_line() is not None:
                self.askings.rotate(-1)
                return answer
            self.askings.popleft()

    def _open_line(self) -> RequestLine | None:
        rows = RequestLine.objects.select_related("request")
        return rows.filter(request=self.number, state=LineState.OPEN).first()

    def withdraw(self) -> None:
        address = f"/requests/{self.number}/withdraw/"
        check(self.asker.post(address, {}), address, 302)

    def decline_by_job(self) -> None:
        """Have a worker say no to what was asked for last."""
        fields: Fields = {
            "do": "decline", "confirmed": "yes", "reason": "Not now",
            "request": shown_of([self.number]),
        }  # fmt: skip
        check(self.decider.post("/decide/many/", fields), "/decide/many/", 302)

    def approve(self, *, then: str = "", is_counted: bool = False) -> Answer:
        """What was asked for last, as asked; then: "queue" leads back to it."""
        line = self._open_line()
        assert line is not None  # noqa: S101 - it was submitted, and no rule granted it
        fields: Fields = {
            "version": str(line.request.version), "line": str(line.pk), "do": "asked",
            f"seen-{line.pk}": str(line.balance_seen), "then": then,
        }  # fmt: skip
        address = f"/decide/{self.number}/approve/"
        return check(self.decider.post(address, fields, is_counted=is_counted), address, 302)

    def write(self) -> Took:
        """The floor of a change, about the request that was made last."""
        address = f"/floor/write/{self.number}/"
        answer = check(self.floor.post(address, {"text": "More"}), address, 302)
        return Took.of(answer)


def run(site: Site, report: Report) -> list[Figure]:
    """Three works, and a hundred at once where enough wait for that."""
    who = who_is_who(site.scale)
    found = []
    with web(site.environment) as server:
        desk = Desk.of(who, server.port)
        for measure in (submitting, approving, back_to_the_queue):
            found.append(measure(desk, site.scale, 2 * site.seconds))
            report.tell(found[-1])
        for each in bulk_figures(site, who, server.port):
            found.append(each)
            report.tell(each)
    return found


def submitting(desk: Desk, size: str, seconds: float) -> Figure:
    """What is asked for is withdrawn again, which is not counted: it makes room for the next."""

    def submit() -> Took:
        answer = desk.submit()
        desk.withdraw()
        return Took.of(answer)

    submit()
    counted = desk.submit(is_counted=True)
    desk.withdraw()
    pairs = interleaved(submit, desk.write, most=PAIRS, least=LEAST, seconds=seconds)
    return Figure("submit", size, pairs, queries=counted.queries, cpu_ms=pairs.cpu_ms)


def approving(desk: Desk, size: str, seconds: float) -> Figure:
    def approve() -> Took:
        desk.submit()
        answer = desk.approve()
        return Took.of(answer)

    desk.submit()
    counted = desk.approve(is_counted=True)
    pairs = interleaved(approve, desk.write, most=PAIRS, least=LEAST, seconds=seconds)
    return Figure("approve", size, pairs, queries=counted.queries, cpu_ms=pairs.cpu_ms)


def back_to_the_queue(desk: Desk, size: str, seconds: float) -> Figure:
    """The decision, and the page that its answer leads to, beside one list."""

    def there_and_back() -> Took:
        desk.submit()
        decided = desk.approve(then="queue")
        page = check(desk.decider.get(decided.location), decided.location, 200)
        return Took.of(decided, page)

    desk.submit()
    counted = desk.approve(then="queue", is_counted=True)
    page = check(desk.decider.get(counted.location, is_counted=True), counted.location, 200)
    pairs = interleaved(
        there_and_back, getting(desk.floor, FIFTY), most=PAIRS, least=LEAST, seconds=seconds
    )
    return Figure(
        "approve and back to the queue", size, pairs, queries=counted.queries + page.queries,
        bytes=len(page.body), cpu_ms=pairs.cpu_ms,
    )  # fmt: skip
