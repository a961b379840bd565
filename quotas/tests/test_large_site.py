"""What verbs and pages cost on a large site: 5,000 units, 20,000 delegations, 10,000 open lines.

The recorded costs stand in large_site.json; `RECORD_QUERY_COUNTS=1` writes them anew. What they
may be at most stands here, whatever is recorded.
"""

import json
import math
import os
from collections.abc import Callable, Collection
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from portal.testing.servers import DatabaseCopy
from projects.models import Delegation, User
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.actions import decide, requests
from quotas.actions.bounds import Bound
from quotas.actions.delegations import delegate, revoke
from quotas.actions.endorse import endorse
from quotas.actions.rerouting import BATCH, route_again
from quotas.actions.wishes import Wish
from quotas.models import (
    Account,
    Assignment,
    Holder,
    Offering,
    QuotaRequest,
    RequestLine,
    Resource,
)
from quotas.queries.accounts import Fill, audit, balances, envelope_fills
from quotas.queries.authority import mandates_held
from quotas.queries.decision_figures import LineFigures, figures_of
from quotas.queries.queue_figures import figures_at_a_glance
from quotas.queries.queue_wishes import PAGE, Wanted
from quotas.queries.waiting import lines_of_page, queue_page
from quotas.states import LineState
from quotas.tests.costs import Cost, cost_of, large_tables
from quotas.tests.large import (
    AMOUNTS,
    DECIDED,
    DELEGATIONS,
    FIRST,
    OPEN_LINES,
    UNITS,
    WIDE,
    LargeSite,
    make_large_site,
)
from quotas.tests.large_pages import lookups

RECORD = Path(__file__).with_name("large_site.json")
# What people wait for takes at most so many statements; a queue however it is narrowed.
MOST = {
    "queue": 6, "project": 8, "submit": 12, "submit under rules": 12, "approve": 16,
    "approve under totals": 16, "submit by its form": 12, "approve by its form": 16,
}  # fmt: skip
# A list of the API, whatever it lists; who could decide where is no list.
MOST_OF_LISTS, NO_LIST = 5, {"api coverage"}
SAY = "If that is meant, run the test with RECORD_QUERY_COUNTS=1 and commit large_site.json."
Verb = Callable[[], object]


@pytest.fixture(scope="module")
def large(module_database: DatabaseCopy) -> LargeSite:
    return make_large_site(timezone.now() - timedelta(minutes=1))


def asked(steps: int) -> QuotaRequest:
    """A request of a busy unit of the lowest level whose lines ask for so many steps more."""
    rows = RequestLine.objects.filter(
        state=LineState.OPEN, offering__resource__slug="vcpu",
        project__unit__in=range(FIRST[4] + 10, UNITS, 10), balance_seen=50, wanted=50 + steps,
    )  # fmt: skip
    return rows.select_related("request__project__unit").order_by("pk")[0].request


def approving(large: LargeSite, steps: int, deciders: int) -> Verb:
    """As asked, by the first delegation of its unit whose number is so many below 4u."""
    wish = asked(steps)
    lines = list(wish.lines.all())
    if deciders == 0:  # a specialist, of vCPUs alone
        lines = lines[:1]
    person = Delegation.objects.select_related("user").get(pk=4 * wish.project_id - deciders).user
    assert person is not None
    return partial(
        decide.approve, quota_request=wish, granted={line.pk: line.wanted for line in lines},
        seen={line.pk: line.balance_seen for line in lines}, version=wish.version,
        actor=person, now=large.now,
    )  # fmt: skip


def posting(person: User, address: str, fields: dict[str, Any]) -> Verb:
    """What a form sends, the view and all."""
    client = Client()
    client.force_login(person)

    def post() -> None:
        answer = client.post(address, fields)
        assert answer.status_code == 302, answer.content

    return post


def verbs(large: LargeSite) -> dict[str, Verb]:
    """What people do, each ready to be done."""
    small, middle, high = (asked(each) for each in AMOUNTS)
    unit = middle.project.unit
    head = large.head_of(unit.pk)
    own = Delegation.objects.get(pk=4 * unit.pk - 3)
    held = balances(small.project)
    fresh = Offering.objects.filter(pk__in=held).exclude(pk__in=small.lines.values("offering"))

    def submitting(resources: Collection[str], steps: int) -> Verb:
        """Of resources that wait for nobody yet; rules say something about RAM alone."""
        wanted = {each.slug: held[each.pk] + steps * each.resource.step
                  for each in fresh if each.resource.slug in resources}  # fmt: skip
        assert len(wanted) == len(resources)
        return partial(
            requests.submit, project=small.project, wish=Wish(wanted, "More"), now=large.now,
            actor=large.owner_of(small.project_id),
        )  # fmt: skip

    ids = [line.pk for line in middle.lines.all()]
    more = next(each for each in fresh if each.resource.slug == "volumes")
    seen = {f"seen-{line.pk}": line.balance_seen for line in middle.lines.all()}
    batch = list(
        QuotaRequest.objects.filter(pk__gt=DECIDED)
        .order_by("pk")
        .values_list("pk", flat=True)[:BATCH]
    )
    common: dict[str, Any] = {"quota_request": middle, "version": 1, "now": large.now}
    return {
        "submit": submitting(["volumes"], 50),
        "submit under rules": submitting(["ram", "volumes"], 50),
        "submit granted by a rule": submitting(["ram"], 1),
        "submit by its form": posting(
            large.owner_of(small.project_id), "/requests/new/",
            {"do": "send", "project": small.project.slug, f"amount-{more.slug}": "+50",
             "reason": "More"},
        ),
        "approve by its form": posting(
            head, f"/decide/{middle.pk}/approve/",
            {"version": 1, "line": ids, "do": "asked", **seen},
        ),
        "approve": approving(large, AMOUNTS[1], 3),
        "approve under totals": approving(large, AMOUNTS[0], 0),
        "decline": partial(decide.decline, line_ids=ids, reason="No", actor=head, **common),
        "return": partial(decide.return_, line_ids=ids, question="Why?", actor=head, **common),
        "endorse": partial(
            endorse, endorsed={line.pk: line.wanted for line in middle.lines.all()},
            actor=large.busy, **common,
        ),
        "delegate": partial(
            delegate, parent=own, grantor=head, unit=unit, powers=[Power.DECIDE_QUOTA],
            starts_at=large.now, ends_at=None, depth=0, user=large.owner_of(1), now=large.now,
            bounds=[Bound(resource=Resource.objects.get(slug="vcpu"), per_decision=20)],
        ),
        "revoke": partial(
            revoke, delegation=Delegation.objects.get(pk=4 * unit.pk - 2), actor=head,
            now=large.now,
        ),
        f"route {BATCH} requests": partial(route_again, batch, large.now),
        "withdraw": partial(
            requests.withdraw, quota_request=high, actor=large.owner_of(high.project_id),
            now=large.now,
        ),
    }  # fmt: skip


def pages(large: LargeSite) -> dict[str, tuple[User, str]]:
    """Who looks at which address."""
    wish = asked(AMOUNTS[1])
    unit = wish.project.unit
    busy, head, root = large.busy, large.head_of(unit.pk), large.head_of(1)
    owner = large.owner_of(unit.pk)
    queries = {
        "largest": "?order=largest", "handed up next": "?order=escalates",
        "shortest": "?order=ends", "by project": "?order=project", "second page": "?page=2",
        "of a unit": f"?unit=u{unit.parent_id}", "of a zone": "?zone=1",
        "of a resource": "?resource=vcpu", "of a kind": "?kind=shared",
        "to endorse": "?task=endorse", "endorsed": "?endorsed=yes",
        "increases": "?direction=increase", "of last week": "?days=3", "by name": "?text=11",
    }  # fmt: skip
    return {
        "queue": (busy, "/decide/"),
        **{f"queue {name}": (busy, f"/decide/{query}") for name, query in queries.items()},
        "decide": (head, f"/decide/{wish.pk}/"),
        "request": (owner, f"/requests/{wish.pk}/"),
        "requests": (owner, "/requests/"),
        "requests of all": (root, "/requests/?of=all&state=waiting"),
        "home of a decider": (busy, "/"),
        "home of an owner": (owner, "/"),
        "remit of a member": (busy, "/remit/"),
        "remit of a head": (head, "/remit/"),
        "coverage of a head": (large.head_of(FIRST[2] + 1), "/remit/coverage/"),
        "coverage of a root": (root, "/remit/coverage/"),
        "unit": (head, f"/units/{unit.slug}/"),
        "project": (large.owner_of(WIDE), f"/projects/p{WIDE}/"),
        "project of four quotas": (owner, f"/projects/{wish.project.slug}/"),
        "api queue": (busy, "/api/v1/queue/"),
        "api requests": (root, "/api/v1/requests/"),
        "api delegations": (head, "/api/v1/delegations/"),
        "api decisions": (head, "/api/v1/decisions/"),
        "api events": (head, "/api/v1/events/"),
    }


def cost_of_verb(verb: Verb, tables: set[str]) -> Cost:
    """Nothing of it stays."""
    with transaction.atomic():
        cost = cost_of(verb, tables)
        transaction.set_rollback(True)
    return cost


def cost_of_page(person: User, address: str, tables: set[str]) -> Cost:
    client = Client()
    client.force_login(person)

    def load() -> None:
        answer = client.get(address)
        assert answer.status_code == 200, answer.content

    return cost_of(load, tables)


def costs(large: LargeSite) -> dict[str, Cost]:
    tables = large_tables()
    found = {name: cost_of_verb(verb, tables) for name, verb in verbs(large).items()}
    looks = pages(large) | lookups(large, asked(AMOUNTS[1]).project)
    cost_of_page(*looks["project"], tables)  # what is kept with the connection is no page's cost
    for name, (person, address) in looks.items():
        found[name] = cost_of_page(person, address, tables)
    return found


def test_the_site_is_as_large_as_it_says(large: LargeSite) -> None:
    assert Delegation.objects.count() == DELEGATIONS == 20_000
    assert Delegation.objects.filter(unit__path__startswith="u1/").count() > 1000
    assert RequestLine.objects.filter(state=LineState.OPEN).count() == OPEN_LINES
    assert audit() == []


def test_its_lines_wait_for_whom_routing_says(large: LargeSite) -> None:
    sample = list(
        QuotaRequest.objects.filter(pk__gt=DECIDED)
        .order_by("pk")
        .values_list("pk", flat=True)[::29]
    )
    rows = Assignment.objects.filter(line__request__in=sample).order_by("line", "delegation")
    columns = ("pk", "line", "delegation", "user", "group", "kind", "level", "starts_at", "ends_at")
    before = list(rows.values_list(*columns))
    with transaction.atomic():
        route_again(sample, large.now)
        after = list(rows.values_list(*columns))
        transaction.set_rollback(True)
    assert len(before) > 2 * len(sample)
    assert after == before


def test_an_envelope_is_as_full_as_what_lies_below_it_adds_up_to(large: LargeSite) -> None:
    accounts = list(
        Account.objects.filter(offering=1).exclude(holder=Holder.SITE)
        .select_related("unit", "project__unit").order_by("pk")
    )  # fmt: skip
    sources = [each for each in accounts if each.project is None]

    def adds_up(source: Account) -> Fill:
        below = sum(each.balance for each in accounts if path_of(each).startswith(path_of(source)))
        return Fill(promised=below - source.balance, size=below)

    assert len(sources) == 26  # the pool and 25 units
    assert envelope_fills(sources) == {each.pk: adds_up(each) for each in sources}


def path_of(account: Account) -> str:
    """Of the place of its holder; the pool lies above all."""
    unit = account.unit if account.project is None else account.project.unit
    return "" if unit is None else unit.path


def test_a_row_of_the_queue_shows_what_the_page_of_its_request_does(large: LargeSite) -> None:
    viewer = Viewer.of(large.busy, large.now)
    lines, mandates = lines_of_page(viewer, queue_page(viewer, Wanted()).requests)

    shown = figures_at_a_glance(lines, mandates, large.now)

    weighed = figures_of(lines, mandates_held(viewer), now=large.now)
    assert len(shown) == 2 * PAGE
    assert list(map(glance, shown.values())) == list(map(glance, weighed.values()))


def glance(figures: LineFigures) -> tuple[object, ...]:
    """What a row shows of a line."""
    source, use = figures.source, figures.use
    return (
        figures.line.pk, figures.balance, source and source.pk, figures.envelope, figures.widest,
        use and (use.limit.pk, use.used, use.limit_seen, use.is_shared),
    )  # fmt: skip


def test_verbs_and_pages_cost_as_recorded(large: LargeSite) -> None:
    found = costs(large)
    if os.environ.get("RECORD_QUERY_COUNTS") == "1":
        record = {name: found[name].json for name in sorted(found)}
        RECORD.write_text(json.dumps(record, indent=2) + "\n")
    recorded = json.loads(RECORD.read_text())
    counts = {name: cost.queries for name, cost in found.items()}
    assert counts == {name: each["queries"] for name, each in recorded.items()}, SAY
    # No table that grows with the site is read from end to end.
    assert {name: sorted(cost.scans) for name, cost in found.items() if cost.scans} == {}
    too_many = {name: "\n".join(cost.statements) for name, cost in found.items()
                if cost.queries > most_of(name)}  # fmt: skip
    assert too_many == {}


def most_of(name: str) -> float:
    """How many statements at most, by the first words of what it is called."""
    if name.startswith("api ") and name not in NO_LIST:
        return MOST_OF_LISTS
    return MOST.get(name, MOST["queue"] if name.startswith("queue ") else math.inf)
