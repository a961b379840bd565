"""request, wait, answer, withdraw: asking for quota and following it."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from ..amounts import change, show
from ..failures import Exit, Failure, TimedOut, Unreachable, Wrong
from ..files import read
from ..run import Run, pass_run, with_options
from ..site import Site, address
from ..wanted import Line, Plan, Wish, offerings_of, plan_of, wish_of_document
from .reading import tell_plan, tell_request

STATUSES = {"met": "as wanted", "asked": "waits", "clash": "waits, another amount", "ask": "ask"}
HAPPENS = ("open", "applying")
SENTENCES = {
    "declined": "It was declined.",
    "withdrawn": "It was withdrawn.",
    "returned": "It came back with a question: `remit answer`, or its page.",
    "refused": "The cloud refuses it: the people who operate it must act.",
    "not enforced": "It was granted, but the cloud lacks what it would be enforced with.",
    "draft": "It is a draft, which nobody decides: send it on its page.",
}
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType[float]):
    """Seconds, from 90, 90s, 30m, 2h or 3d."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, int | float):
            return float(value)
        found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", str(value))
        if found is None:
            self.fail("Write 90s, 30m, 2h or 3d.", param, ctx)
        return float(int(found[1]) * _SECONDS[found[2]])


timeout_option = click.option(
    "--timeout", type=Duration(), default="1h", show_default=True, help="How long: 90s, 30m, 3d."
)


@click.command(short_help="Ask for what a file says should be, or for amounts.")
@click.argument("slug", metavar="[PROJECT", required=False)
@click.argument("amounts", metavar="OFFERING=AMOUNT ...]", nargs=-1)
@click.option("--file", "name", metavar="FILE", help="Wanted limits, as YAML; - is standard input.")
@click.option("--reason", help="What it is for; instead of the one in the file.")
@click.option("--until", metavar="DAY", help="The last day it is wanted; if left out, for good.")
@click.option("--all-or-nothing", is_flag=True, help="Apply no line before all are approved.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and send nothing.")
@click.option("--wait", "waits", is_flag=True, help="Wait until it is applied or refused.")
@timeout_option
@with_options
@pass_run
def request(
    run: Run, slug: str | None, amounts: Sequence[str], name: str | None, reason: str | None,
    until: str | None, all_or_nothing: bool, dry_run: bool, waits: bool, timeout: float,
) -> int:  # fmt: skip
    """Ask for what a file says should be, or for amounts: `region.zone.vcpu=+64`.

    What is so already, or is asked for already, is not asked for again: the same file can be
    applied as often as one likes.

    \b
        project: atlas-reco
        reason: Reprocessing of the 2026 data
        lines:
          geneva.compute-a.vcpu: 128
          geneva.storage-a.space: 2TiB

    `until:` and `all_or_nothing:` may stand there too. Several documents, parted by `---`,
    ask for several projects.
    """
    if (name is None) == (slug is None):
        raise Wrong("Give either --file, or a project and amounts.")
    if name is not None:
        wishes = [
            wish_of_document(each, f"{name}, document {number}")
            for number, each in enumerate(read(name), 1)
        ]
    else:
        wishes = [Wish(str(slug), _typed(amounts), takes_changes=True)]
    wishes = [
        replace(
            each,
            reason=each.reason if reason is None else reason,
            until_on=until or each.until_on,
            all_or_nothing=all_or_nothing or each.all_or_nothing,
        )
        for each in wishes
    ]
    offerings = offerings_of(run.site)
    # All is read before anything is sent: a mistake in the last document sends nothing.
    plans = [plan_of(run.site, each, offerings) for each in wishes]
    done = [_preview(run, each) if dry_run else _send(run, each) for each in plans]
    if waits and not dry_run:
        for each in done:
            if each.number is not None and each.failure is None:
                each.failure, each.answer = _awaited(run, each.number, timeout)
    return _end(run, done)


def _end(run: Run, done: Sequence["Done"]) -> int:
    """Tell what became of each, and fail as the last of those that failed."""
    if run.screen.as_json:
        run.screen.json([each.told() for each in done])
    failures = [each.failure for each in done if each.failure is not None]
    for failure in failures:
        failure.facts = None  # it is in the list above
    for failure in failures[:-1]:
        run.screen.failure(failure)
    if failures:
        raise failures[-1]
    return Exit.DONE


@dataclass
class Done:
    """What became of one wish. `number`: of its request, where one was sent."""

    plan: Plan
    number: int | None = None
    answer: Any = None
    failure: Failure | None = None

    def told(self) -> dict[str, Any]:
        return {
            "project": self.plan.wish.project,
            "lines": [
                {
                    "offering": each.offering, "now": each.now, "wanted": each.wanted,
                    "status": each.status, "request": each.request,
                }
                for each in self.plan.lines
            ],
            "answer": self.answer,
            "failure": self.failure.facts or self.failure.sentence if self.failure else None,
        }  # fmt: skip


def _typed(amounts: Sequence[str]) -> dict[str, str]:
    """{offering: text} of `offering=amount` arguments; raises Wrong."""
    wanted: dict[str, str] = {}
    for each in amounts:
        offering, sign, text = each.partition("=")
        if not sign or not offering or offering in wanted:
            raise Wrong(f"“{each}”: write region.zone.resource=amount, each once.")
        wanted[offering] = text
    if not wanted:
        raise Wrong("Name what is wanted: region.zone.vcpu=+64.")
    return wanted


def _compare(run: Run, plan: Plan) -> Failure | None:
    """Show what is left to ask for; a failure where something else waits instead."""
    if not run.screen.as_json:
        run.screen.line(f"{plan.wish.project}:")
        run.screen.table(
            [
                {
                    "offering": each.offering, "now": show(each.now, each.unit),
                    "wanted": show(each.wanted, each.unit),
                    "change": change(each.wanted - each.now, each.unit),
                    "state": _state(each),
                }
                for each in plan.lines
            ],
            "Nothing is wanted.",
        )  # fmt: skip
    clashes = plan.of("clash")
    if clashes:
        said = [
            f"{each.offering}: #{each.request} asks for {show(each.asked, each.unit)}."
            for each in clashes
        ]
        return Failure("Another amount waits already: change or withdraw that request.", *said)
    return None


def _state(line: Line) -> str:
    where = f" in #{line.request}" if line.request is not None else ""
    return STATUSES[line.status] + where


def _preview(run: Run, plan: Plan) -> Done:
    done = Done(plan, failure=_compare(run, plan))
    if done.failure is not None or not plan.of("ask"):
        return done
    try:
        done.answer = run.site.post("requests/", plan.body(), dry_run="true")
    except Failure as failure:
        done.failure = failure
        return done
    if not run.screen.as_json:
        tell_plan(run, done.answer)
        run.screen.line("Nothing was sent.")
    return done


def _send(run: Run, plan: Plan) -> Done:
    done = Done(plan, failure=_compare(run, plan))
    if done.failure is not None or not plan.of("ask"):
        # What waits as wanted is what --wait waits for.
        done.number = next((each.request for each in plan.of("asked")), None)
        return done
    try:
        done.answer = run.site.post("requests/", plan.body())
    except Failure as failure:
        done.failure = failure
        return done
    done.number = done.answer["id"]
    if not run.screen.as_json:
        run.screen.state(f"#{done.number} is sent: ", done.answer["state"])
    return done


@click.command(short_help="Wait until a request is applied or refused.")
@click.argument("number", metavar="REQUEST", type=click.IntRange(1))
@timeout_option
@with_options
@pass_run
def wait(run: Run, number: int, timeout: float) -> int:
    """Wait until a request is applied (0) or refused (1), or the time is over (4)."""
    failure, answer = _awaited(run, number, timeout)
    if run.screen.as_json:
        run.screen.json(answer)
    else:
        tell_request(run, answer)
    if failure is not None:
        raise failure
    return Exit.DONE


def _awaited(run: Run, number: int, timeout: float) -> tuple[Failure | None, Any]:
    """(None or why it is not well, the request as it is then); raises what a call raises."""
    found = wait_for(run.site, number, timeout)
    state = found["state"]
    declined = [
        each["offering"] for each in found["lines"] if each["state"] in ("declined", "withdrawn")
    ]
    if state in HAPPENS:
        return TimedOut(f"#{number} is not done in time: {state}."), found
    if state in SENTENCES:
        return Failure(f"#{number}: {SENTENCES[state]}"), found
    if declined:
        return Failure(f"#{number} is applied, without {', '.join(declined)}."), found
    return None, found


def wait_for(site: Site, number: int, timeout: float) -> dict[str, Any]:
    """The request once nothing more happens by itself, or as it is after `timeout` seconds.

    Asks less and less often, says what it saw last, so that an unchanged answer is short,
    and waits as long as the site says. A site that is away is asked again until the end.
    """
    path, etag, pause = address("requests", number), None, FIRST_PAUSE
    ends = site.clock() + timeout
    last: dict[str, Any] = site.get(path)
    while last["state"] in HAPPENS and site.clock() < ends:
        left = ends - site.clock()
        site.pause(min(left, pause * random.uniform(0.9, 1.1)))  # noqa: S311 # not a secret
        pause = min(LONGEST_PAUSE, pause * 1.4)
        try:
            found, etag, told = site.get_if_changed(path, etag)
        except Unreachable:
            continue
        last = last if found is None else found
        pause = max(pause, told or 0)
    return last


@click.command()
@click.argument("number", metavar="REQUEST", type=click.IntRange(1))
@click.argument("text")
@with_options
@pass_run
def answer(run: Run, number: int, text: str) -> int:
    """Answer the question of a returned request; its lines are open again as they were."""
    seen = run.site.get(address("requests", number))
    body = {"text": text, "lines": {}, "version": seen["version"]}
    found = run.site.post(address("requests", number, "answer"), body)
    if run.screen.as_json:
        run.screen.json(found)
    else:
        tell_request(run, found)
    return Exit.DONE


@click.command()
@click.argument("number", metavar="REQUEST", type=click.IntRange(1))
@with_options
@pass_run
def withdraw(run: Run, number: int) -> int:
    """Take back every line of a request that waits. What was decided stays."""
    found = run.site.post(address("requests", number, "withdraw"), {})
    if run.screen.as_json:
        run.screen.json(found)
    else:
        tell_request(run, found)
    return Exit.DONE


COMMANDS = (request, wait, answer, withdraw)
