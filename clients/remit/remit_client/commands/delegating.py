"""delegations, delegate: authority that one holds, and handing on a part of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..amounts import AmountError, parse
from ..failures import Exit, Wrong
from ..files import Fields, read
from ..run import Run, pass_run, with_options
from ..site import Site

AMOUNTS, DAYS = ("per_decision", "total"), ("window_days", "period_days")


@click.command()
@click.option("--unit", help="Of that unit and all below it.")
@click.option("--all", "is_all", is_flag=True, help="Those that are over too.")
@with_options
@pass_run
def delegations(run: Run, unit: str | None, is_all: bool) -> None:
    """List the delegations that you may see."""
    live = None if is_all else "true"
    rows = run.site.pages("delegations/", under=unit, live=live)
    if run.screen.as_json:
        return run.screen.json(rows)
    return run.screen.table(
        [
            {
                "delegation": each["id"], "who": each["delegate"]["name"], "unit": each["unit"],
                "from": each["grantor"]["name"] if each["grantor"] else "–",
                "until": (each["ends_at"] or "–")[:10], "on": each["depth"],
                "powers": ", ".join(each["powers"]),
            }
            for each in rows
        ],
        "There is no delegation that you may see.",
    )  # fmt: skip


@click.command(short_help="Hand on a part of what you may decide.")
@click.option("--file", "name", metavar="FILE", help="The terms as YAML; - is standard input.")
@click.option("--parent", type=click.IntRange(1), help="The number of one that you hold.")
@click.option("--to", "holder", metavar="person:ID", help="Who: person:ID or group:ID.")
@click.option("--unit", help="In that unit and all below it.")
@click.option("--power", "powers", multiple=True, help="`decide quota`, …; as often as needed.")
@click.option(
    "--bound", "bounds", multiple=True, metavar="RESOURCE[@ZONE]:NAME=AMOUNT,…",
    help="vcpu@geneva.compute-a:per_decision=64,total=400,period_days=365; `any` is any resource.",
)  # fmt: skip
@click.option("--starts", "starts_at", metavar="MOMENT", help="If left out: now.")
@click.option("--ends", "ends_at", metavar="MOMENT", help="Exclusive; if left out: without end.")
@click.option("--depth", type=click.IntRange(0), help="How often they may hand it on.")
@click.option("--purpose", help="What it is for.")
@click.option("--dry-run", is_flag=True, help="Say what it would do, and hand on nothing.")
@with_options
@pass_run
def delegate(
    run: Run, name: str | None, holder: str | None, powers: Sequence[str], bounds: Sequence[str],
    dry_run: bool, **options: Any,
) -> int:  # fmt: skip
    """Hand on a part of what you may decide, by a file or by options.

    \b
        parent: 12
        delegate: person:a3f1cf9c-8b67-4f36-8d5e-6d0b9c1f2e77
        unit: atlas
        powers: [decide quota]
        ends_at: 2027-04-01
        bounds:
          - {resource: vcpu, per_decision: 64, total: 400, period_days: 365}
          - {resource: space, zone: geneva.storage-a, per_decision: 10TiB}

    Options say what the file leaves out, and win over it.
    """
    document: dict[str, Any] = {}
    if name is not None:
        documents = read(name)
        if len(documents) != 1:
            raise Wrong(f"{name} holds {len(documents)} documents: one delegation at a time.")
        document = documents[0]
    document |= {key: str(value) for key, value in options.items() if value is not None}
    document |= {"delegate": holder} if holder else {}
    document |= {"powers": list(powers)} if powers else {}
    document |= {"bounds": [_typed_bound(each) for each in bounds]} if bounds else {}
    body = _body(run.site, document, name or "The options")
    found = run.site.post("delegations/", body, dry_run="true" if dry_run else None)
    if dry_run:
        _tell_plan(run, found)
    elif run.screen.as_json:
        run.screen.json(found)
    else:
        run.screen.line(f"D-{found['id']}: {found['delegate']['name']} in {found['unit']}.")
    return Exit.DONE


def _tell_plan(run: Run, found: dict[str, Any]) -> None:
    if run.screen.as_json:
        return run.screen.json(found)
    for each in found["does"]:
        run.screen.line(f"- {each}")
    for each in found["warns"]:
        run.screen.line(f"! {each}")
    return run.screen.line("Nothing was handed on.")


def _typed_bound(text: str) -> dict[str, str]:
    """A --bound as a file would say it; raises Wrong."""
    what, __, terms = text.partition(":")
    resource, __, zone = what.partition("@")
    bound = {} if resource in ("", "any") else {"resource": resource}
    bound |= {"zone": zone} if zone else {}
    for each in filter(None, terms.split(",")):
        name, sign, value = each.partition("=")
        if not sign or name in bound:
            raise Wrong(f"“{text}”: write vcpu:per_decision=64,total=400.")
        bound[name] = value
    return bound


def _body(site: Site, document: dict[str, Any], where: str) -> dict[str, Any]:
    """The terms as the API takes them; amounts in base units. Raises Wrong."""
    fields = Fields(document, where)
    body: dict[str, Any] = {
        "parent": fields.take_whole("parent"),
        "delegate": _holder(fields.take("delegate")),
        "unit": fields.take("unit"),
        "powers": fields.take_list("powers"),
        "bounds": [],
        "starts_at": fields.take("starts_at", "") or None,
        "ends_at": fields.take("ends_at", "") or None,
        "depth": fields.take_whole("depth", 0),
        "purpose": fields.take("purpose", ""),
    }
    rows = fields.take_list("bounds")
    fields.done()
    units = {each["slug"]: each["unit"] for each in site.pages("resources/")} if rows else {}
    body["bounds"] = [
        _bound(row, units, f"{where}, bound {number}") for number, row in enumerate(rows, 1)
    ]
    return body


def _holder(text: str) -> dict[str, str]:
    kind, sign, public_id = text.partition(":")
    if not sign or kind not in ("person", "group"):
        raise Wrong(f"“{text}”: write person:ID or group:ID. `remit whoami` shows one's own.")
    return {"kind": kind, "id": public_id.strip()}


def _bound(row: Any, units: Mapping[str, str], where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise Wrong(f"{where}: write names with values, as {{resource: vcpu, per_decision: 64}}.")
    fields = Fields(row, where)
    resource = fields.take("resource", "") or None
    bound: dict[str, Any] = {"resource": resource, "zone": fields.take("zone", "") or None}
    if resource is not None and resource not in units:
        raise Wrong(f"{where}: there is no resource “{resource}”: {', '.join(units)}.")
    for name in AMOUNTS:
        if text := fields.take(name, ""):
            try:
                bound[name] = parse(text, units.get(resource or "", ""))
            except AmountError as error:
                raise Wrong(f"{where}, {name}: {error}.") from error
    for name in DAYS:
        if row.get(name):
            bound[name] = fields.take_whole(name)
    fields.done()
    return bound


COMMANDS = (delegations, delegate)
