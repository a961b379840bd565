"""project new, extend; change accept, decline, withdraw; changes: what becomes of projects.

What waits for somebody's yes is a change: a later end, another unit or owner, a longer loan.
"""

from typing import Any

import click

from ..amounts import AmountError, parse, show
from ..failures import Exit, Wrong
from ..files import Fields, read
from ..run import Run, pass_run, with_options
from ..site import Site, address
from ..wanted import meant, offerings_of
from .deciding import confirm, yes_option
from .reading import most_option, project, tell_plan


class Projects(click.Group):
    """`remit project atlas-reco` shows it: what is no verb is a project's name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group(
    name="project", cls=Projects, short_help="Show a project; ask for one; let one last longer.",
    subcommand_metavar="PROJECT | new | extend …",
)  # fmt: skip
def project_group() -> None:
    """Show a project, ask for a new one, or let one last longer."""


@click.command(name="new", short_help="Ask for a project, with its people and first quota.")
@click.option("--file", "name", metavar="FILE", required=True, help="YAML; - is standard input.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and send nothing.")
@with_options
@pass_run
def new(run: Run, name: str, dry_run: bool) -> int:
    """Ask for a project, with its people and its first quota: one request decides both.

    \b
        name: Higgs Reconstruction
        purpose: Reconstruction of the 2026 data
        unit: atlas
        ends: 2027-12-31
        members:
          - {who: "person:5b0f8e0e-54a5-4a39-9a0c-1f7f0c2a7d11", role: member}
        presets: [small]
        lines:
          geneva.compute-a.vcpu: 16

    `description:`, `reason:`, `until:` (of the quota) and `all_or_nothing:` may stand there too.
    The ids of people are those of `remit members`.
    """
    documents = read(name)
    if len(documents) != 1:
        raise Wrong(f"{name} holds {len(documents)} documents: ask for one project at a time.")
    body = body_of(run.site, documents[0], name)
    answer = run.site.post("projects/", body, dry_run="true" if dry_run else None)
    if run.screen.as_json:
        run.screen.json(answer)
        return Exit.DONE
    if dry_run:
        tell_plan(run, answer)
        run.screen.line("Nothing was sent.")
        return Exit.DONE
    run.screen.state(f"{answer['slug']} is asked for: ", answer["state"])
    run.screen.state(f"#{answer['request']['id']} decides it: ", answer["request"]["state"])
    return Exit.DONE


def body_of(site: Site, document: dict[str, Any], where: str) -> dict[str, Any]:
    """A document as the API takes a new project; raises Wrong, all wrong lines at once."""
    fields = Fields(document, where)
    body: dict[str, Any] = {
        "name": fields.take("name"),
        "purpose": fields.take("purpose"),
        "unit": fields.take("unit"),
        "description": fields.take("description", ""),
        "ends_on": fields.take("ends", "") or None,
        "reason": fields.take("reason", ""),
        "until_on": fields.take("until", "") or None,
        "all_or_nothing": fields.take_yes_no("all_or_nothing"),
        "presets": fields.take_list("presets"),
        "members": [_member(each, where) for each in fields.take_list("members")],
    }
    wanted = fields.take_map("lines") if "lines" in document else {}
    fields.done()
    if not all(isinstance(each, str) for each in body["presets"]):
        raise Wrong(f"{where}: `presets:` is a list of names.")
    return body | {"lines": _amounts(site, wanted, where) if wanted else {}}


def _member(found: Any, where: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Wrong(f"{where}: each of `members:` is `{{who: person:…, role: member}}`.")
    fields = Fields(found, f"{where}, members")
    who, role = fields.take("who"), fields.take("role")
    fields.done()
    return {"holder": holder(who), "role": role}


def holder(text: str) -> dict[str, str]:
    """The person or group that `person:…` or `group:…` names; raises Wrong."""
    kind, __, public_id = text.partition(":")
    if kind not in ("person", "group") or not public_id:
        raise Wrong(f"“{text}” names nobody: write person:… or group:…, as `remit members` does.")
    return {"kind": kind, "id": public_id}


def _amounts(site: Site, wanted: dict[str, Any], where: str) -> dict[str, int]:
    offerings, found, wrong = offerings_of(site), {}, []
    for slug, text in wanted.items():
        if slug not in offerings:
            wrong.append(f"{slug}: there is no such offering.{meant(slug, offerings)}")
            continue
        try:
            found[slug] = parse(text, offerings[slug]["unit"])
        except AmountError as error:
            wrong.append(f"{slug}: {error}.")
    if wrong:
        raise Wrong(f"{where}: what the project should have cannot be read.", *wrong)
    return found


@click.command(name="extend", short_help="Let a project last until another day.")
@click.argument("slug", metavar="PROJECT")
@click.argument("until", metavar="DAY")
@click.option("--reason", default="", help="Why; people read it.")
@with_options
@pass_run
def extend(run: Run, slug: str, until: str, reason: str) -> int:
    """Let a project last until the end of a day, 2027-12-31; further than you may, it is asked."""
    answer = run.site.post(
        address("projects", slug, "extend"), {"until_on": until, "reason": reason}
    )
    if run.screen.as_json:
        run.screen.json(answer)
    elif answer["change"] is None:
        run.screen.line(f"{slug} lasts until {answer['project']['ends_on']}.")
    else:
        run.screen.line(f"Change {answer['change']['id']} of {slug} waits for a yes.")
    return Exit.DONE


@click.command(short_help="List what of projects waits for somebody's yes.")
@click.option("--project", "slug", metavar="PROJECT", help="Of this project.")
@click.option("--mine", is_flag=True, help="Only what waits for your answer.")
@click.option("--all", "is_all", is_flag=True, help="What was answered, too.")
@most_option
@with_options
@pass_run
def changes(run: Run, slug: str | None, mine: bool, is_all: bool, most: int) -> None:
    """List what of projects waits for somebody's yes: ends, units, owners, loans."""
    rows = run.site.pages(
        "changes/", most, project=slug, mine="true" if mine else None,
        state=None if is_all else "open",
    )  # fmt: skip
    if run.screen.as_json:
        return run.screen.json(rows)
    has_loans = any(each["loan"] for each in rows)
    units = (
        {name: each["unit"] for name, each in offerings_of(run.site).items()} if has_loans else {}
    )
    return run.screen.table(
        [
            {
                "change": each["id"], "project": each["project"]["slug"],
                "what": _what(each, units), "state": each["state"],
                "asked by": each["asked_by"]["name"] if each["asked_by"] else "Remit",
                "why": each["reason"],
            }
            for each in rows
        ],
        "Nothing waits for you." if mine else "There is no such change.",
    )  # fmt: skip


def _what(change: dict[str, Any], units: dict[str, str]) -> str:
    if change["kind"] == "extend":
        return f"until {change['until_on']}"
    if change["kind"] == "move":
        return f"into {change['to_unit']}"
    if change["loan"]:
        loan = change["loan"]
        amount = show(loan["outstanding"], units.get(loan["offering"], ""))
        until = f"until {change['until_on']}" if change["until_on"] else "for good"
        return f"{amount} of {loan['offering']} {until}"
    return f"owned by {change['to_person']['name']}"


@click.group(name="change", short_help="Answer what of a project waits for a yes.")
def change_group() -> None:
    """Accept, decline or withdraw a change of a project, by its number in `remit changes`."""


def _answerer(verb: str, words: str, *, needs_reason: bool = False) -> click.Command:
    @click.command(name=verb, help=words)
    @click.argument("number", metavar="CHANGE", type=click.IntRange(1))
    @click.option("--reason", required=needs_reason, help="A word to whoever asked.")
    @yes_option
    @with_options
    @pass_run
    def answer(run: Run, number: int, reason: str | None, yes: bool) -> int:
        found = run.site.get(address("changes", number))
        confirm(run, f"{verb.capitalize()} change {number} of {found['project']['slug']}?", yes=yes)
        # What was read goes with the answer: one that changed meanwhile is refused.
        body: dict[str, Any] = {"version": found["version"]}
        if verb != "withdraw":
            body["answer"] = reason or ""
        done = run.site.post(address("changes", number, verb), body)
        if run.screen.as_json:
            run.screen.json(done)
        else:
            run.screen.state(f"Change {number} of {done['project']['slug']}: ", done["state"])
        return Exit.DONE

    return answer


for each in (new, extend):
    project_group.add_command(each)
project_group.add_command(project, "show")
change_group.add_command(_answerer("accept", "Say yes, which does it."))
change_group.add_command(_answerer("decline", "Say no, with the reason.", needs_reason=True))
change_group.add_command(_answerer("withdraw", "Ask for it no more."))

COMMANDS = (project_group, changes, change_group)
