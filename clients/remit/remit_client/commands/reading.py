"""projects, project show, members, offerings, requests, show, queue, explain: what there is."""

from collections.abc import Sequence
from typing import Any

import click

from ..amounts import change, show
from ..failures import Exit, Wrong
from ..run import Run, pass_run, with_options
from ..site import address
from ..wanted import offerings_of

MOST = 50
most_option = click.option(
    "--most", type=click.IntRange(1), default=MOST, show_default=True, help="At most so many."
)


@click.command()
@click.option("--unit", help="In this unit itself.")
@click.option("--most", type=click.IntRange(1), help="At most so many; all, if left out.")
@with_options
@pass_run
def projects(run: Run, unit: str | None, most: int | None) -> None:
    """List the projects that you may see."""
    rows = run.site.pages("projects/", most, unit=unit)
    if run.screen.as_json:
        return run.screen.json(rows)
    return run.screen.table(
        [
            {
                "project": each["slug"], "unit": each["unit"], "state": each["state"],
                "you are": ", ".join(each["roles"]) or "–", "what it is": each["description"],
            }
            for each in rows
        ],
        "You may see no project.",
    )  # fmt: skip


@click.command()
@click.argument("slug", metavar="PROJECT")
@with_options
@pass_run
def project(run: Run, slug: str) -> None:
    """Show a project: its quota, and how far each service is."""
    found = run.site.get(address("projects", slug))
    if run.screen.as_json:
        return run.screen.json(found)
    units = {name: each["unit"] for name, each in offerings_of(run.site).items()}
    run.screen.facts(project=found["slug"], unit=found["unit_path"], about=found["description"])
    run.screen.state("state: ", found["state"])
    run.screen.table(
        [
            {
                "offering": each["offering"],
                "quota": show(each["balance"], units.get(each["offering"], "")),
            }
            for each in found["quota"]
        ],
        "It has no quota yet.",
    )
    for each in found["services"]:
        run.screen.state(f"{each['endpoint']}: ", each["state"])
        if each["sentence"]:
            run.screen.line(f"  {each['sentence']}")
    return None


@click.command(short_help="List who is in a project; give people roles.")
@click.argument("slug", metavar="PROJECT")
@click.option(
    "--set", "given", multiple=True, metavar="WHO=ROLE", help="person:…=member, or group:…=reader."
)
@with_options
@pass_run
def members(run: Run, slug: str, given: Sequence[str]) -> None:
    """List who is in a project, with the ids by which authority is handed on.

    With --set a role is given, or changed, before.
    """
    roles = [_role(each) for each in given]
    held = run.site.pages(address("projects", slug, "members")) if roles else []
    for kind, public_id, role in roles:
        seen = next((each["role"] for each in held if each["holder"]["id"] == public_id), None)
        body = {kind: public_id, "role": role, "seen": seen}
        run.site.post(address("projects", slug, "members"), body)
    rows = run.site.pages(address("projects", slug, "members"))
    if run.screen.as_json:
        return run.screen.json(rows)
    run.screen.table(
        [
            {
                "role": each["role"], "name": each["holder"]["name"],
                "until": (each["ends_at"] or "–")[:10],
                "id": f"{each['holder']['kind']}:{each['holder']['id']}",
            }
            for each in rows
        ],
        "Nobody is in it.",
    )  # fmt: skip
    for each in run.site.get(address("projects", slug, "members", "missing"))["waiting"]:
        run.screen.line(f"! {each['sentence']}")
    return None


def _role(text: str) -> tuple[str, str, str]:
    """(person or group, id, role) of `person:…=member`; raises Wrong."""
    who, __, role = text.partition("=")
    kind, __, public_id = who.partition(":")
    if kind not in ("person", "group") or not public_id or not role:
        raise Wrong(f"“{text}” gives nobody a role: write person:…=member.")
    return kind, public_id, role


@click.command(short_help="List what can be asked for.")
@click.argument("part", required=False)
@with_options
@pass_run
def offerings(run: Run, part: str | None) -> None:
    """List what can be asked for, by the names that files use; PART narrows it."""
    rows = [each for each in offerings_of(run.site).values() if (part or "") in each["slug"]]
    if run.screen.as_json:
        return run.screen.json(rows)
    return run.screen.table(
        [
            {
                "offering": each["slug"],
                "in steps of": show(each["step"], each["unit"]),
                "room": each["room"]["word"],
            }
            for each in rows
            if not each["is_retired"]
        ],
        "Nothing of that name can be asked for.",
    )


@click.command(name="requests")
@click.option("--project", "slug", metavar="PROJECT", help="For this project.")
@click.option(
    "--of", "scope", type=click.Choice(["mine", "projects", "all"]), default="all",
    show_default=True, help="Whose.",
)  # fmt: skip
@click.option(
    "--stage", default="any", show_default=True,
    type=click.Choice(["any", "draft", "waiting", "returned", "applying", "done"]),
)  # fmt: skip
@most_option
@with_options
@pass_run
def request_list(run: Run, slug: str | None, scope: str, stage: str, most: int) -> None:
    """List requests, the newest first."""
    rows = run.site.pages("requests/", most, project=slug, scope=scope, stage=stage)
    _list(run, rows, "There is no such request.")


@click.command()
@click.option("--unit", help="Of that unit and all below it.")
@most_option
@with_options
@pass_run
def queue(run: Run, unit: str | None, most: int) -> None:
    """List what waits for your decision."""
    _list(run, run.site.pages("queue/", most, unit=unit), "Nothing waits for you.")


def _list(run: Run, rows: list[Any], empty: str) -> None:
    if run.screen.as_json:
        return run.screen.json(rows)
    return run.screen.table(
        [
            {
                "request": each["id"], "project": each["project"]["slug"],
                "state": each["state"], "lines": len(each["lines"]),
                "asked by": each["requester"]["name"], "why": each["reason"],
            }
            for each in rows
        ],
        empty,
    )  # fmt: skip


@click.command(name="show", short_help="Show a request and how far it is.")
@click.argument("number", metavar="REQUEST", type=click.IntRange(1))
@with_options
@pass_run
def show_request(run: Run, number: int) -> None:
    """Show a request: what was asked and granted, who decides, and how far it is."""
    found = run.site.get(address("requests", number))
    if run.screen.as_json:
        return run.screen.json(found)
    return tell_request(run, found)


def tell_request(run: Run, found: dict[str, Any]) -> None:
    """A request in words, and its lines."""
    units = {name: each["unit"] for name, each in offerings_of(run.site).items()}
    run.screen.state(f"#{found['id']} of {found['project']['slug']}: ", found["state"])
    run.screen.facts(
        asked_by=found["requester"]["name"], why=found["reason"], until=found["until_on"]
    )
    run.screen.table(
        [
            {
                "line": each["id"], "offering": each["offering"], "state": each["state"],
                "now": show(each["balance"], units.get(each["offering"], "")),
                "wanted": show(each["wanted"], units.get(each["offering"], "")),
                "granted": show(each["granted"], units.get(each["offering"], "")),
                "waits for": ", ".join(who["name"] for who in each["waits_for"]),
            }
            for each in found["lines"]
        ],
        "It has no lines.",
    )  # fmt: skip
    for line in found["lines"]:
        for each in line["deliveries"]:
            if each["sentence"]:
                run.screen.line(f"{each['endpoint']}: {each['sentence']} {each['error_id']}")


def tell_plan(run: Run, found: dict[str, Any]) -> None:
    """What a dry run says: who decides each line, what would be written where, what to know."""
    for line in found["lines"]:
        run.screen.line(f"{line['offering']}: {_whom(line)}.")
    run.screen.table(
        [
            {
                "service": each["endpoint"], "limit": each["key"],
                "now": show(each["promised"], each["unit"]),
                "then": show(each["after"], each["unit"]),
                "if granted": show(each["if_granted"], each["unit"]),
            }
            for each in found["limits"]
        ],
        "No limit changes.",
    )  # fmt: skip
    for each in found["warnings"]:
        run.screen.line(f"! {each['text']} {each['hint']}".rstrip())


def _whom(line: dict[str, Any]) -> str:
    """Who has decided a line of a plan, or would."""
    if line["rule"]:
        return f"rule {line['rule']} grants it at once"
    if line["decided_by"]:
        return f"{line['state']}, by the authority of {line['decided_by']['name']}"
    steps = line["waits"]["decides"] if line["waits"] else []
    if not steps:
        words = line["waits"]["nobody_words"] if line["waits"] else ""
        return words.rstrip(".") or str(line["state"])
    nearest = steps[0]
    names = " or ".join(each["name"] for each in nearest["names"])
    return f"waits for {names} of {nearest['unit']}"


@click.command()
@click.argument("slug", metavar="PROJECT")
@click.argument("offering")
@with_options
@pass_run
def explain(run: Run, slug: str, offering: str) -> int:
    """Tell what the most is, what bounds it, and who can help.

    For who decides there: what you may grant; for others: what stands before their asking.
    """
    found = run.site.get(address("projects", slug, "explain"), offering=offering)
    if run.screen.as_json:
        run.screen.json(found)
        return Exit.DONE
    unit = run.site.get(address("offerings", found["offering"]))["unit"]
    verb = "granted" if found["verb"] == "grant" else "asked for"
    run.screen.line(f"{found['project']} has {show(found['balance'], unit)}.")
    if found["most"] is not None:
        room = change(found["room"], unit)
        run.screen.line(f"At most {show(found['most'], unit)} can be {verb}: {room}.")
    for each in found["reasons"]:
        room = each["word"] if each["room"] is None else change(each["room"], unit)
        run.screen.line(f"- {each['sentence']}" + (f" ({room})" if room else ""))
        if each["who_helps"]:
            run.screen.line(f"  {each['who_helps']}")
    return Exit.DONE


COMMANDS = (projects, members, offerings, request_list, show_request, queue, explain)
