"""Who may do what, in which state: literal tables, driven through page and API alike.

Each cell is what both doors answer; 200 is done, 404 hides, 403 forbids, 409 is no move of that
state, 422 is what makes no sense there. The columns are the cast of quotas.tests.roles by their
first four letters. What is stored: test_doors and its neighbours.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.actions.units import make_unit
from projects.models import Delegation
from quotas.actions import delegations, drafts, endorse
from quotas.actions.decide import approve, decline, return_
from quotas.actions.requests import submit, withdraw
from quotas.actions.unit_changes import retire_unit
from quotas.actions.wishes import Wish
from quotas.models import QuotaRequest
from quotas.tests import test_doors_delegations as of_delegations
from quotas.tests import test_doors_policies as of_policies
from quotas.tests import test_doors_units as of_units
from quotas.tests.api import ROOT
from quotas.tests.doors import CALLS, DONE, PAGES, Act
from quotas.tests.roles import CAST, as_text, drive, make_cast, parse
from quotas.tests.site import Site

VCPU = "geneva.compute-a.vcpu"

REQUESTS = """
verb        state      stra read memb mana owne endo dele head depu root help oper audi repa
submit      new        404  403  403  200  200  403  403  403  403  403  422  403  403  403
ask-for     new        404  403  403  403  403  403  403  403  403  403  200  403  403  403
amend       draft      404  404  404  404  409  404  404  404  404  404  404  404  404  404
answer      draft      404  404  404  404  409  404  404  404  404  404  404  404  404  404
withdraw    draft      404  404  404  404  409  404  404  404  404  404  404  404  404  404
comment     draft      404  404  404  404  409  404  404  404  404  404  404  404  404  404
watch       draft      404  404  404  404  409  404  404  404  404  404  404  404  404  404
nudge       draft      404  404  404  404  409  404  404  404  404  404  404  404  404  404
approve     draft      404  404  404  404  404  404  404  404  404  404  404  404  404  404
submit      open       404  403  403  409  409  403  403  403  403  403  422  403  403  403
amend       open       404  403  403  200  200  403  403  403  403  403  403  403  403  403
answer      open       404  403  403  409  409  403  403  403  403  403  403  403  403  403
withdraw    open       404  403  403  200  200  403  403  403  403  403  403  403  403  403
comment     open       404  403  200  200  200  200  200  200  200  200  403  403  403  403
watch       open       404  200  200  200  200  200  200  200  200  200  200  200  200  200
nudge       open       404  403  403  200  200  403  403  403  403  403  403  403  403  403
endorse     open       404  403  403  403  403  200  409  409  409  409  403  403  403  403
approve     open       404  403  403  403  403  403  200  200  200  200  403  403  403  403
decline     open       404  403  403  403  403  200  200  200  200  200  403  403  403  403
return      open       404  403  403  403  403  200  200  200  200  200  403  403  403  403
endorse     dear       404  403  403  403  403  200  200  409  409  409  403  403  403  403
approve     dear       404  403  403  403  403  403  403  200  200  200  403  403  403  403
approve     endorsed   404  403  403  403  403  403  403  200  200  200  403  403  403  403
amend       returned   404  403  403  409  409  403  403  403  403  403  403  403  403  403
answer      returned   404  403  403  200  200  403  403  403  403  403  403  403  403  403
withdraw    returned   404  403  403  200  200  403  403  403  403  403  403  403  403  403
comment     returned   404  403  200  200  200  200  200  200  200  200  403  403  403  403
endorse     returned   404  403  403  403  403  409  409  409  409  409  403  403  403  403
approve     returned   404  403  403  403  403  409  409  409  409  409  403  403  403  403
decline     returned   404  403  403  403  403  409  409  409  409  409  403  403  403  403
amend       granted    404  403  403  409  409  403  403  403  403  403  403  403  403  403
withdraw    granted    404  403  403  409  409  403  403  403  403  403  403  403  403  403
comment     granted    404  403  200  200  200  200  200  200  200  200  403  403  403  403
watch       granted    404  200  200  200  200  200  200  200  200  200  200  200  200  200
nudge       granted    404  403  403  409  409  403  403  403  403  403  403  403  403  403
approve     granted    404  403  403  403  403  409  409  409  409  409  403  403  403  403
decline     granted    404  403  403  403  403  409  409  409  409  409  403  403  403  403
approve     declined   404  403  403  403  403  409  409  409  409  409  403  403  403  403
amend       withdrawn  404  403  403  409  409  403  403  403  403  403  403  403  403  403
approve     withdrawn  404  403  403  403  403  409  409  409  409  409  403  403  403  403
"""
DELEGATIONS = """
verb        state      stra read memb mana owne endo dele head depu root help oper audi repa
hand-on     live       403  403  403  403  403  403  200  403  403  403  403  403  403  403
deputy      live       403  403  403  403  403  200  200  200  200  200  403  403  403  403
revoke      live       404  404  404  404  404  403  403  200  403  200  404  403  403  404
reissue     live       404  404  404  404  404  403  403  200  403  403  404  403  403  404
hand-on     revoked    403  403  403  403  403  403  403  403  403  403  403  403  403  403
revoke      revoked    404  404  404  404  404  404  403  409  403  409  404  403  403  404
reissue     revoked    404  404  404  404  404  404  403  409  403  409  404  403  403  404
hand-on     ended      403  403  403  403  403  403  403  403  403  403  403  403  403  403
revoke      ended      404  404  404  404  404  404  403  200  403  200  404  403  403  404
reissue     ended      404  404  404  404  404  404  403  200  403  403  404  403  403  404
"""
UNITS = """
verb        state      stra read memb mana owne endo dele head depu root help oper audi repa
declare     declared   403  403  403  403  403  422  422  422  422  422  403  403  403  403
fund        declared   403  403  403  403  403  403  403  200  200  200  403  403  403  403
take-back   declared   403  403  403  403  403  403  403  200  200  200  403  403  403  403
move        declared   403  403  403  403  403  403  403  403  403  200  403  403  403  403
retire      declared   403  403  403  403  403  403  403  200  200  200  403  403  403  403
set-waiting declared   403  403  403  403  403  200  200  200  200  200  403  403  403  403
declare     undeclared 403  403  403  403  403  200  200  200  200  200  403  403  403  403
fund        undeclared 403  403  403  403  403  200  200  200  200  200  403  403  403  403
take-back   undeclared 403  403  403  403  403  422  422  422  422  422  403  403  403  403
fund        retired    403  403  403  403  403  403  403  409  409  409  403  403  403  403
move        retired    403  403  403  403  403  403  403  403  403  409  403  403  403  403
retire      retired    403  403  403  403  403  403  403  409  409  409  403  403  403  403
set-waiting retired    403  403  403  403  403  403  403  409  409  409  403  403  403  403
"""
RULES = """
verb        state      stra read memb mana owne endo dele head depu root help oper audi repa
make        new        403  403  403  403  403  200  200  200  200  200  403  403  403  403
revise      draft      403  403  403  403  403  403  200  403  403  403  403  403  403  403
on          draft      403  403  403  403  403  403  200  403  403  403  403  403  403  403
off         draft      403  403  403  403  403  403  409  409  403  409  403  403  403  403
replay      draft      403  403  403  403  403  200  200  200  200  200  403  200  200  403
revise      on         403  403  403  403  403  403  200  403  403  403  403  403  403  403
on          on         403  403  403  403  403  403  409  403  403  403  403  403  403  403
off         on         403  403  403  403  403  403  200  200  403  200  403  403  403  403
revise      off        403  403  403  403  403  403  200  403  403  403  403  403  403  403
on          off        403  403  403  403  403  403  200  403  403  403  403  403  403  403
off         off        403  403  403  403  403  403  409  409  403  409  403  403  403  403
revise      ended      403  403  403  403  403  403  403  403  403  403  403  403  403  403
off         ended      403  403  403  403  403  403  403  200  403  200  403  403  403  403
"""


@dataclass(frozen=True)
class Cast:
    """The site, and everybody at a client of their own."""

    site: Site
    clients: dict[str, Client]

    def send(self, door: str, person: str, path: str, sent: Any, method: str = "POST") -> int:
        """What the page, or the API, answers; DONE where it was done."""
        client = self.clients[person]
        if door == "page":
            status = client.post(path, sent).status_code
            return DONE if status == 302 else status
        body = json.dumps(sent, default=str)
        status = client.generic(method, path, body, "application/json").status_code
        return DONE if status < 300 else status


@pytest.fixture
def cast(site_today: Site) -> Cast:
    site = make_cast(site_today, timezone.now() - timedelta(days=2))
    clients = {name: Client() for name in CAST.values()}
    for name, client in clients.items():
        client.force_login(site.people[name])
    return Cast(site, clients)


def check(table: str, found: dict[tuple[str, str], dict[str, str]]) -> None:
    """The whole table at once, so that a difference is read in its row and column."""
    written = {
        key: {column: str(status) for column, status in cells.items()}
        for key, cells in parse(table).items()
    }
    assert as_text(found) == as_text(written)


# --- requests ---------------------------------------------------------------------------


def request_in(site: Site, state: str) -> QuotaRequest | None:
    """A request of Alice for 100 vCPU (129 of them are dear: beyond Dana), waiting for long."""
    sent = timezone.now() - timedelta(hours=1)
    mine: dict[str, Any] = {"actor": site.alice, "now": sent}
    wish = Wish({VCPU: 129 if state in ("dear", "endorsed") else 100}, "before")
    if state == "new":
        return None
    if state == "draft":
        return drafts.save(project=site.project, wish=wish, **mine)
    asked = submit(project=site.project, wish=wish, **mine)
    asked.lines.update(waits_since=sent - timedelta(days=30))
    line = asked.lines.get().pk
    deciding: dict[str, Any] = {
        "quota_request": asked, "version": asked.version, "actor": site.dana, "now": sent,
    }  # fmt: skip
    if state == "returned":
        return_(line_ids=[line], question="For which run?", **deciding)
    elif state == "granted":
        approve(granted={line: 100}, seen={line: 0}, **deciding)
    elif state == "declined":
        decline(line_ids=[line], reason="No", **deciding)
    elif state == "endorsed":
        endorse.endorse(endorsed={line: 129}, **deciding)
    elif state == "withdrawn":
        withdraw(quota_request=asked, **mine)
    asked.refresh_from_db()
    return asked


def test_requests(cast: Cast) -> None:
    amounts = {"submit": {VCPU: 50}, "ask-for": {VCPU: 50}, "amend": {VCPU: 40}}

    def send(door: str, verb: str, person: str, asked: Any) -> int:
        verb = "submit_for" if verb == "ask-for" else verb
        act = Act(verb, person, amounts.get(verb.replace("submit_for", "ask-for")))
        if door == "page":
            name, number, form = PAGES[verb](cast.site, act, asked)
            return cast.send(door, person, reverse(name, args=number), form)
        method, path, body = CALLS[verb](cast.site, act, asked)
        return cast.send(door, person, ROOT + path, body, method)

    check(REQUESTS, drive(parse(REQUESTS), lambda state: request_in(cast.site, state), send))


# --- delegations ------------------------------------------------------------------------


def delegation_in(site: Site, state: str) -> None:
    """Dana's delegation: what she hands on from, and what is taken back."""
    before, dana = timezone.now() - timedelta(hours=1), site.delegations["dana"]
    if state == "revoked":
        delegations.revoke(delegation=dana, actor=site.erin, now=before)
    elif state == "ended":
        Delegation.objects.filter(pk=dana.pk).update(ends_at=before)


def test_delegations(cast: Cast) -> None:
    def send(door: str, verb: str, person: str, _made: object) -> int:
        parent = "erin" if verb == "reissue" else "dana"
        act = of_delegations.Act(verb.replace("-", " "), person, parent=parent)
        return cast.send(door, person, *of_delegations.DOORS[act.verb][door](cast.site, act))

    found = drive(parse(DELEGATIONS), lambda state: delegation_in(cast.site, state), send)
    check(DELEGATIONS, found)


# --- units ------------------------------------------------------------------------------


def unit_in(site: Site, state: str) -> str:
    """ATLAS, which has envelopes and a parent, or a unit below it that has none; its slug."""
    before = timezone.now() - timedelta(hours=1)
    if state == "retired":
        retire_unit(unit=site.units["atlas"], is_command=True, now=before)
    if state == "undeclared":
        make_unit(slug="trigger", name="Trigger", parent=site.units["atlas"], now=before)
    return "trigger" if state == "undeclared" else "atlas"


def test_units(cast: Cast) -> None:
    changes = {"declare": {VCPU: 0}, "fund": {VCPU: 5}, "take-back": {VCPU: -5}}
    days = {"remind_after_days": 3, "escalate_after_days": 7}

    def send(door: str, verb: str, person: str, unit: Any) -> int:
        prefix = "" if door == "page" else "api_"
        if verb == "set-waiting":
            path = reverse(f"{prefix}unit_waiting", args=[unit])
            return cast.send(door, person, path, days, "PUT")
        kind = "change" if verb in changes else verb
        act = of_units.Act(kind, person, unit, changes.get(verb, {}), parent="it")
        names = {"page": "unit_fund", "api": "api_envelopes_change"}
        name = names[door] if kind == "change" else f"{prefix}unit_{verb}"
        sent = of_units.form_of(act) if door == "page" else of_units.body_of(act)
        return cast.send(door, person, reverse(name, args=[unit]), sent)

    check(UNITS, drive(parse(UNITS), lambda state: unit_in(cast.site, state), send))


# --- rules ------------------------------------------------------------------------------


def test_rules(cast: Cast) -> None:
    terms = {"direction": "increase", "resource": "vcpu", "most_amount": 8}

    def send(door: str, verb: str, person: str, made: Any) -> int:
        if verb == "replay":
            name = "policy_replay" if door == "page" else "api_policy_replay"
            path = reverse(name, kwargs={"pk": made.pk})
            return cast.clients[person].get(path).status_code
        return of_policies.DOORS[door](cast.site, of_policies.Act(verb, person, terms), made)

    def rule_in(state: str) -> object:
        return of_policies.prepare(cast.site, "" if state == "new" else state)

    check(RULES, drive(parse(RULES), rule_in, send))
