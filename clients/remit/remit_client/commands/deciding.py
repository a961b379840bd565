"""approve, decline, return: what a decider does with lines of a request.

What was read goes with the decision: where the quota or the request changed in between, the
site refuses it with the figures of now, and nothing is decided.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..amounts import AmountError, change, parse, show
from ..failures import Exit, Failure, Wrong
from ..run import Run, pass_run, with_options
from ..site import address
from ..wanted import offerings_of
from .reading import tell_plan

lines_option = click.option(
    "--lines", "chosen", multiple=True, metavar="LINE,…",
    help="Numbers or offerings of the lines that are meant; all open ones, if left out.",
)  # fmt: skip
reason_option = click.option("--reason", default="", help="Why; people read it.")
seen_option = click.option(
    "--version", "version", type=click.IntRange(0), help="Only if it is still this version of it."
)
yes_option = click.option("--yes", is_flag=True, help="Ask nothing.")


@click.command(short_help="Grant what a request asks for, or less.")
@click.argument("number", metavar="REQUEST", type=click.IntRange(1))
@lines_option
@reason_option
@seen_option
@click.option("--dry-run", is_flag=True, help="Say what would be granted, and decide nothing.")
@yes_option
@with_options
@pass_run
def approve(
    run: Run, number: int, chosen: Sequence[str], reason: str, version: int | None,
    dry_run: bool, yes: bool,
) -> int:  # fmt: skip
    """Grant what a request asks for, or less: `--lines geneva.compute-a.vcpu=96`."""
    found = run.site.get(address("requests", number))
    units = {name: each["unit"] for name, each in offerings_of(run.site).items()}
    lines = _chosen(found, chosen)
    granted = _granted(lines, units)
    if not run.screen.as_json:
        run.screen.table(
            [
                {
                    "line": line["id"], "offering": line["offering"],
                    "now": show(line["balance"], units.get(line["offering"], "")),
                    "wanted": show(line["wanted"], units.get(line["offering"], "")),
                    "granted": show(granted[str(line["id"])], units.get(line["offering"], "")),
                    "change": change(
                        granted[str(line["id"])] - line["balance"],
                        units.get(line["offering"], ""),
                    ),
                }
                for line, _text in lines
            ],
            "",
        )  # fmt: skip
    if not dry_run:
        confirm(run, f"Grant that to {found['project']['slug']}?", yes=yes)
    body = {
        "granted": granted,
        "seen": {str(line["id"]): line["balance"] for line, _text in lines},
        "version": found["version"] if version is None else version,
        "reason": reason,
    }
    return _decide(run, number, "approve", body, "granted", dry_run=dry_run)


def _granted(lines: Sequence[tuple[Any, str]], units: Mapping[str, str]) -> dict[str, int]:
    """{line id: absolute limit}; raises Wrong."""
    granted = {}
    for line, text in lines:
        unit = units.get(line["offering"], "")
        try:
            amount = parse(text, unit, line["balance"]) if text else line["wanted"]
        except AmountError as error:
            raise Wrong(f"{line['offering']}: {error}.") from error
        granted[str(line["id"])] = amount
    return granted


def _refuser(verb: str, done: str, words: str, what: str) -> click.Command:
    """A command that says no to lines, with its reason."""

    @click.command(name=verb, help=words)
    @click.argument("number", metavar="REQUEST", type=click.IntRange(1))
    @lines_option
    @click.option("--reason", required=True, help=what)
    @seen_option
    @yes_option
    @with_options
    @pass_run
    def refuse(
        run: Run, number: int, chosen: Sequence[str], reason: str, version: int | None, yes: bool
    ) -> int:
        found = run.site.get(address("requests", number))
        lines = _chosen(found, chosen)
        if any(text for _line, text in lines):
            raise Wrong("Amounts are for `approve`: name lines alone.")
        names = ", ".join(line["offering"] for line, _text in lines)
        confirm(run, f"{verb.capitalize()} {names} of #{number}?", yes=yes)
        body = {
            "lines": [line["id"] for line, _text in lines],
            "reason": reason,
            "version": found["version"] if version is None else version,
        }
        return _decide(run, number, verb, body, done)

    return refuse


decline = _refuser(
    "decline", "declined", "Say no to lines of a request, with the reason.", "Why; people read it."
)
return_ = _refuser(
    "return", "returned", "Send lines back with a question; they open again with its answer.",
    "The question.",
)  # fmt: skip


def _chosen(found: dict[str, Any], chosen: Sequence[str]) -> list[tuple[Any, str]]:
    """[(line, text of its amount or "")]; raises Wrong for what is no open line."""
    is_open = [line for line in found["lines"] if line["state"] == "open"]
    if not is_open:
        raise Failure(f"#{found['id']} has no line that waits: it is {found['state']}.")
    texts = [each.strip() for text in chosen for each in text.split(",") if each.strip()]
    if not texts:
        return [(line, "") for line in is_open]
    named: dict[int, tuple[Any, str]] = {}
    for text in texts:
        name, __, amount = text.partition("=")
        line = next((each for each in is_open if name in (str(each["id"]), each["offering"])), None)
        if line is None:
            raise Wrong(f"“{name}” is no open line of #{found['id']}: `remit show {found['id']}`.")
        if line["id"] in named:
            raise Wrong(f"“{name}” is named twice.")
        named[line["id"]] = (line, amount.strip())
    return list(named.values())


def confirm(run: Run, question: str, *, yes: bool) -> None:
    """A person at a terminal is asked; a script said what it means by calling."""
    if yes or run.screen.as_json or not sys.stdin.isatty():
        return
    click.confirm(question, abort=True, err=True)


def _decide(
    run: Run, number: int, verb: str, body: dict[str, Any], done: str, *, dry_run: bool = False
) -> int:
    path = address("requests", number, verb)
    decision = run.site.post(path, body, dry_run="true" if dry_run else None)
    if run.screen.as_json:
        run.screen.json(decision)
    elif dry_run:
        tell_plan(run, decision)
        run.screen.line("Nothing was decided.")
    else:
        run.screen.state(f"#{number}, decision {decision['id']}: ", done)
    return Exit.DONE


COMMANDS = (approve, decline, return_)
