"""One domain, two doors: every verb through the page and through the API leaves equal rows.

Each act is done on the same site twice, once through each door, and taken back between.
A refusal has the same status at both, and leaves everything as it was.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.lookups import IsNull
from django.utils import timezone

from projects.models import Event, Notice
from projects.states import Role
from quotas.actions import decide, drafts, requests, watching
from quotas.actions.endorse import endorse
from quotas.actions.wishes import Wish
from quotas.models import (
    Account,
    Assignment,
    Comment,
    Decision,
    DecisionLine,
    Loan,
    QuotaRequest,
    RequestLine,
    Target,
    Transfer,
    Watcher,
)
from quotas.states import LINE_VERBS
from quotas.tests.doors import DONE, DOORS, PAGES, Act
from quotas.tests.site import GIB, Site, join, make_helper

VCPU, RAM, SPACE = "geneva.compute-a.vcpu", "geneva.compute-a.ram", "geneva.storage-a.space"
WISH = {VCPU: 100, SPACE: 5 * GIB}
NEXT_YEAR = (timezone.now() + timedelta(days=365)).date().isoformat()
MEGABYTE = "x" * 2**20


def rows(site: Site) -> dict[str, Any]:
    """Everything that a verb could change, without numbers that differ from one run to the next."""
    asked = QuotaRequest.objects.order_by("pk")
    return {
        "requests": list(
            asked.values_list(
                "requester__subject", "asked_by__subject", "project__slug", "reason", "until_on",
                "all_or_nothing", "version", IsNull(F("submitted_at"), True),
            )
        ),
        "lines": list(
            RequestLine.objects.order_by("request", "offering__slug").values_list(
                "offering__slug", "state", "wanted", "balance_seen"
            )
        ),
        "assignments": list(
            Assignment.objects.order_by("line__request", "line__offering__slug", "delegation")
            .values_list(
                "line__offering__slug", "delegation", "kind", "level", IsNull(F("ends_at"), True)
            )
        ),
        "comments": list(
            Comment.objects.order_by("pk").values_list("author__subject", "text")
        ),
        "watchers": list(
            Watcher.objects.order_by("request", "person").values_list("person__subject", flat=True)
        ),
        "notices": list(
            Notice.objects.order_by("event", "person").values_list("person__subject", "kind")
        ),
        "decisions": list(
            Decision.objects.order_by("pk").values_list("person__subject", "kind", "reason")
        ),
        "decision lines": list(
            DecisionLine.objects.order_by("decision", "line__offering__slug").values_list(
                "line__offering__slug", "delegation", "before", "granted", "endorsed"
            )
        ),
        "balances": list(
            Account.objects.order_by("offering__slug", "holder", "unit__slug").values_list(
                "offering__slug", "holder", "unit__slug", "balance"
            )
        ),
        "transfers": list(
            Transfer.objects.order_by("pk").values_list(
                "offering__slug", "debit__holder", "credit__holder", "amount", "kind"
            )
        ),
        "loans": list(Loan.objects.order_by("pk").values_list("outstanding", "ends_at")),
        "targets": list(
            Target.objects.order_by("endpoint__slug").values_list(
                "endpoint__slug", "state", "generation"
            )
        ),
        "events": list(
            Event.objects.order_by("pk").values_list(
                "verb", "actor__subject", "project__slug", "subject_kind"
            )
        ),
    }  # fmt: skip


def prepare(site: Site, state: str) -> QuotaRequest | None:
    """A request of Alice in a state; "" is none."""
    now = timezone.now() - timedelta(hours=1)
    common: dict[str, Any] = {"actor": site.alice, "now": now}
    if not state:
        return None
    wish = Wish({VCPU: 100}, "before")
    if state == "draft":
        return drafts.save(project=site.project, wish=wish, **common)
    if state in ("dear", "huge", "endorsed"):
        wish = Wish({VCPU: {"dear": 129, "huge": 1100, "endorsed": 129}[state]}, "before")
    if state == "asked for":
        helper = common | {"actor": site.hilda, "requester": site.alice}
        return requests.submit(project=site.project, wish=wish, **helper)
    asked = requests.submit(project=site.project, wish=wish, **common)
    line = asked.lines.get().pk
    deciding: dict[str, Any] = {
        "quota_request": asked,
        "version": 1,
        "actor": site.dana,
        "now": now,
    }
    if state == "returned":
        decide.return_(line_ids=[line], question="For which run?", **deciding)
    elif state == "granted":
        decide.approve(granted={line: 100}, seen={line: 0}, **deciding)
    elif state == "declined":
        decide.decline(line_ids=[line], reason="No", **deciding)
    elif state == "endorsed":
        wanted = asked.lines.get().wanted
        endorse(endorsed={line: wanted}, **deciding)
    elif state == "old":
        asked.lines.update(waits_since=now - timedelta(days=30))
    elif state == "watched":
        watching.watch(quota_request=asked, actor=site.bob, now=now)
    elif state == "withdrawn":
        requests.withdraw(quota_request=asked, **common)
    asked.refresh_from_db()
    return asked


def at(site: Site, door: str, state: str, act: Act) -> tuple[int, dict[str, Any], bool]:
    """The status of an act at a door, the rows after it, and whether they are those of before."""
    with transaction.atomic():
        asked = prepare(site, state)
        before = rows(site)
        status = DOORS[door](site, act, asked)
        after = rows(site)
        transaction.set_rollback(True)
    return status, after, before == after


DONE_ACTS = [
    ("", Act("submit", "alice", WISH)),
    ("", Act("submit", "alice", {VCPU: 7}, until_on=NEXT_YEAR, all_or_nothing=True)),
    ("", Act("submit", "max", WISH)),
    ("granted", Act("submit", "alice", {VCPU: 0})),
    ("granted", Act("submit", "alice", {VCPU: 50, RAM: 8 * GIB})),
    ("", Act("submit_for", "hilda", WISH)),
    ("asked for", Act("amend", "hilda", {VCPU: 40})),
    ("asked for", Act("amend", "alice", {VCPU: 40})),
    ("asked for", Act("withdraw", "hilda")),
    ("", Act("save_draft", "alice", WISH)),
    ("", Act("save_draft", "alice", {VCPU: 7}, text="")),
    ("draft", Act("replace_draft", "alice", {SPACE: 7 * GIB}, text="anew", all_or_nothing=True)),
    ("draft", Act("submit_draft", "alice")),
    ("draft", Act("discard_draft", "alice")),
    ("open", Act("amend", "alice", {VCPU: 40}, text="less will do")),
    ("open", Act("amend", "max", {VCPU: 0 + 1})),
    ("returned", Act("answer", "alice", text="Run 4")),
    ("returned", Act("answer", "alice", {VCPU: 70}, text="Run 4, with less")),
    ("open", Act("withdraw", "alice")),
    ("returned", Act("withdraw", "alice")),
    ("open", Act("comment", "alice", text="Any news?\nWe start on Monday.")),
    ("open", Act("comment", "bob")),
    ("open", Act("comment", "dana")),
    ("granted", Act("comment", "alice")),
    ("open", Act("watch", "rita")),
    ("watched", Act("unwatch", "bob")),
    ("watched", Act("approve", "dana")),
    ("open", Act("approve", "dana")),
    ("open", Act("approve", "dana", {VCPU: 60}, text="")),
    ("open", Act("approve", "erin")),
    ("dear", Act("approve", "erin")),
    ("dear", Act("endorse", "dana")),
    ("dear", Act("endorse", "dana", {VCPU: 120}, text="")),
    ("endorsed", Act("approve", "erin", {VCPU: 100})),
    ("old", Act("nudge", "alice")),
    ("old", Act("nudge", "max")),
    ("open", Act("decline", "dana", text="Use what you have.")),
    ("open", Act("return", "dana", text="For which run?")),
]  # fmt: skip

REFUSED_ACTS = [
    (403, "", Act("submit", "bob", WISH)),
    (403, "", Act("submit", "dana", WISH)),
    (404, "", Act("submit", "mallory", WISH)),
    (404, "", Act("submit", "alice", WISH, project="nowhere")),
    (409, "open", Act("submit", "alice", {VCPU: 50})),
    (422, "", Act("submit", "alice", {VCPU: -1})),
    (422, "", Act("submit", "alice", {VCPU: 0})),
    (422, "granted", Act("submit", "alice", {VCPU: 100})),
    (422, "", Act("submit", "alice", {VCPU: 2**62 + 1})),
    (422, "", Act("submit", "alice", {"geneva.compute-z.vcpu": 1})),
    (422, "", Act("submit", "alice", {})),
    (422, "", Act("submit", "alice", WISH, text="")),
    (422, "", Act("submit", "alice", WISH, text="a\x00b")),
    (422, "", Act("submit", "alice", WISH, text="a\x07b")),
    (422, "", Act("submit", "alice", WISH, text=MEGABYTE)),
    (422, "", Act("submit", "alice", WISH, until_on="2001-01-01")),
    (422, "", Act("submit", "alice", WISH, until_on="soon")),
    (403, "", Act("submit_for", "bob", WISH)),
    (403, "", Act("submit_for", "max", WISH)),
    (403, "", Act("submit_for", "dana", WISH)),
    (404, "", Act("submit_for", "mallory", WISH)),
    (422, "", Act("submit_for", "hilda", {VCPU: -1})),
    (409, "open", Act("submit_for", "hilda", {VCPU: 50})),
    (403, "open", Act("amend", "hilda", {VCPU: 40})),
    (403, "", Act("save_draft", "hilda", WISH)),
    (403, "", Act("save_draft", "bob", WISH)),
    (404, "", Act("save_draft", "mallory", WISH)),
    (422, "", Act("save_draft", "alice", {VCPU: -1})),
    (422, "", Act("save_draft", "alice", {})),
    (404, "draft", Act("replace_draft", "max", WISH)),
    (404, "draft", Act("replace_draft", "mallory", WISH)),
    (409, "open", Act("replace_draft", "alice", WISH)),
    (422, "draft", Act("replace_draft", "alice", {VCPU: -1})),
    (404, "draft", Act("submit_draft", "max")),
    (404, "open", Act("submit_draft", "bob")),
    (409, "open", Act("submit_draft", "alice")),
    (404, "draft", Act("discard_draft", "max")),
    (404, "open", Act("discard_draft", "mallory")),
    (409, "open", Act("discard_draft", "alice")),
    (403, "open", Act("amend", "bob", {VCPU: 40})),
    (403, "open", Act("amend", "dana", {VCPU: 40})),
    (404, "open", Act("amend", "mallory", {VCPU: 40})),
    (409, "granted", Act("amend", "alice", {VCPU: 40})),
    (409, "granted", Act("amend", "alice", {VCPU: 40}, version=1)),
    (409, "returned", Act("amend", "alice", {VCPU: 40})),
    (412, "open", Act("amend", "alice", {VCPU: 40}, version=7)),
    (422, "open", Act("amend", "alice", {VCPU: -1})),
    (422, "open", Act("amend", "alice", {VCPU: 40}, text="")),
    (403, "returned", Act("answer", "bob")),
    (404, "returned", Act("answer", "mallory")),
    (409, "open", Act("answer", "alice")),
    (409, "withdrawn", Act("answer", "alice", version=1)),
    (409, "open", Act("answer", "alice", {VCPU: 40}, version=1)),
    (412, "returned", Act("answer", "alice", version=1)),
    (422, "returned", Act("answer", "alice", text="")),
    (422, "returned", Act("answer", "alice", {VCPU: -5})),
    (403, "open", Act("withdraw", "bob")),
    (404, "open", Act("withdraw", "mallory")),
    (409, "granted", Act("withdraw", "alice")),
    (409, "withdrawn", Act("withdraw", "alice")),
    (403, "open", Act("comment", "rita")),
    (403, "open", Act("comment", "audrey")),
    (404, "open", Act("comment", "mallory")),
    (404, "draft", Act("comment", "bob")),
    (404, "open", Act("watch", "mallory")),
    (409, "draft", Act("watch", "alice")),
    (404, "draft", Act("watch", "bob")),
    (404, "open", Act("unwatch", "mallory")),
    (422, "open", Act("comment", "alice", text=" ")),
    (422, "open", Act("comment", "alice", text=MEGABYTE)),
    (422, "open", Act("comment", "alice", text="a\x00b")),
    *(
        (status, state, Act(verb, person))
        for verb in ("approve", "decline", "return")
        for status, state, person in (
            (403, "open", "alice"), (403, "open", "bob"), (403, "open", "audrey"),
            (404, "open", "mallory"), (404, "draft", "dana"), (409, "granted", "dana"),
            (409, "declined", "dana"), (409, "returned", "dana"), (409, "withdrawn", "dana"),
        )
    ),
    *((412, "open", Act(verb, "dana", version=7)) for verb in ("approve", "decline", "return")),
    *((409, "granted", Act(verb, "dana", version=1)) for verb in ("approve", "decline", "return")),
    *((422, "open", Act(verb, "dana", text="")) for verb in ("decline", "return")),
    *(
        (422, "open", Act(verb, "dana", text=text))
        for verb in ("approve", "decline", "return")
        for text in (MEGABYTE, "a\x00b", "\x1b[31m")
    ),
    *(
        (status, "dear", Act("endorse", person))
        for status, person in ((403, "alice"), (403, "audrey"), (404, "mallory"), (409, "erin"))
    ),
    (409, "open", Act("endorse", "dana")),
    (409, "endorsed", Act("endorse", "dana")),
    (409, "granted", Act("endorse", "dana")),
    (412, "dear", Act("endorse", "dana", version=7)),
    (422, "dear", Act("endorse", "dana", {VCPU: 130})),
    (422, "dear", Act("endorse", "dana", {VCPU: 0})),
    (422, "dear", Act("endorse", "dana", text="a\x00b")),
    (403, "old", Act("nudge", "bob")),
    (403, "old", Act("nudge", "dana")),
    (404, "old", Act("nudge", "mallory")),
    (409, "open", Act("nudge", "alice")),
    (409, "granted", Act("nudge", "alice")),
    (403, "dear", Act("approve", "dana")),
    (409, "huge", Act("approve", "erin")),
    (412, "open", Act("approve", "dana", seen=7)),
    (422, "open", Act("approve", "dana", {VCPU: 101})),
    (422, "open", Act("approve", "dana", {VCPU: 0})),
    (422, "open", Act("approve", "dana", {VCPU: -1})),
]  # fmt: skip


@pytest.fixture
def house(site_today: Site) -> Site:
    """With Max, another manager, who wrote none of Alice's drafts, and Hilda of the helpdesk."""
    manager = type(site_today.alice).objects.create(subject="max", name="Max", password="!")
    site_today.people["max"] = manager
    join(site_today.project, manager, Role.MANAGER, timezone.now() - timedelta(hours=2))
    make_helper(site_today)
    return site_today


def named(number: int, state: str, act: Act) -> str:
    return f"{number}-{act.verb}-{act.person}-{state or 'new'}"


@pytest.mark.parametrize(
    ("state", "act"), DONE_ACTS, ids=[named(n, *each) for n, each in enumerate(DONE_ACTS)]
)
def test_both_doors_leave_equal_rows(house: Site, state: str, act: Act) -> None:
    by_page, page_rows, is_same = at(house, "page", state, act)
    by_api, api_rows, _is_same = at(house, "api", state, act)
    assert (by_page, by_api) == (DONE, DONE)
    assert not is_same
    assert page_rows == api_rows


@pytest.mark.parametrize(
    ("status", "state", "act"),
    REFUSED_ACTS,
    ids=[f"{each[0]}-{named(n, *each[1:])}" for n, each in enumerate(REFUSED_ACTS)],
)
def test_both_doors_refuse_alike_and_store_nothing(
    house: Site, status: int, state: str, act: Act
) -> None:
    outcomes = {door: at(house, door, state, act) for door in DOORS}
    assert {door: outcome[0] for door, outcome in outcomes.items()} == dict.fromkeys(DOORS, status)
    assert all(outcome[2] for outcome in outcomes.values())


def test_every_verb_is_done_and_refused_above() -> None:
    assert {each[1].verb for each in DONE_ACTS} == set(PAGES)
    assert {each[2].verb for each in REFUSED_ACTS} == set(PAGES)
    assert {verb.replace("submit", "submit_draft") for verb in LINE_VERBS} <= set(PAGES)
