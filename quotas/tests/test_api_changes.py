"""Lists that are followed tell what changed since, and rather too much than too little."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from projects.actions.delegations import revoke
from projects.actions.people import set_group_members
from projects.actions.projects import set_role
from projects.actions.units import move_unit
from projects.states import Role
from quotas.actions.envelopes import fund
from quotas.actions.rerouting import route_again
from quotas.tests.api import approval, caller, refusal, results, submit
from quotas.tests.site import Site, make_group, make_project, make_site


def marked(answer: Any) -> tuple[list[int], str]:
    return [each["id"] for each in results(answer)], answer.json()["updated_until"]


@pytest.fixture
def committed(database_copy: object) -> Site:
    return make_site(timezone.now() - timedelta(days=1))


def test_only_what_changed_since_is_told(committed: Site) -> None:
    alice = caller(committed, "alice")
    asked = submit(committed)
    all_of_it, mark = marked(alice.get("requests/"))
    assert all_of_it == [asked.pk]
    assert marked(alice.get("requests/", updated_since=mark))[0] == []
    other = submit(committed, {committed.space.slug: 2**30})
    found, after = marked(alice.get("requests/", updated_since=mark))
    assert found == [other.pk]
    alice.post(f"requests/{asked.pk}/comment/", {"text": "Please"})
    assert marked(alice.get("requests/", updated_since=after))[0] == [asked.pk]


def test_a_moment_tells_rather_too_much(committed: Site) -> None:
    alice, asked = caller(committed, "alice"), submit(committed)
    now = timezone.now()
    assert marked(alice.get("requests/", updated_since=now.isoformat()))[0] == [asked.pk]
    later = (now + timedelta(hours=2)).isoformat()
    assert marked(alice.get("requests/", updated_since=later))[0] == []
    for wrong in ("x", "2026-11-21T10:00:00", "2026-13-45", "1.2.3", "0001-01-01T00:00:00Z"):
        assert refusal(alice.get("requests/", updated_since=wrong)) == (422, "invalid")


def test_a_decision_tells_of_itself_and_of_what_starts_from_another_quota(
    committed: Site,
) -> None:
    dana = caller(committed, "dana")
    first = submit(committed)
    answer = dana.post(f"requests/{first.pk}/approve/", approval(committed, first))
    assert answer.status_code == 200, answer.content
    second = submit(committed, {committed.vcpu.slug: 120})
    submit(committed, {committed.space.slug: 2**30})  # another offering, so nothing of it changed
    _all, mark = marked(dana.get("requests/"))
    __, of_decisions = marked(dana.get("decisions/"))
    answer = dana.post(f"requests/{second.pk}/approve/", approval(committed, second))
    assert answer.status_code == 200, answer.content
    assert marked(dana.get("requests/", updated_since=mark))[0] == [second.pk, first.pk]
    decided = marked(dana.get("decisions/", updated_since=of_decisions))[0]
    assert decided == [answer.json()["id"]]


def test_drafts_are_nobodys_news(committed: Site) -> None:
    alice = caller(committed, "alice")
    _all, mark = marked(alice.get("requests/"))
    body = {"project": "atlas-reco", "lines": {committed.vcpu.slug: 5}, "draft": True}
    draft = alice.post("requests/", body).json()["id"]
    found, mark = marked(alice.get("requests/", updated_since=mark))
    assert found == []
    alice.put(f"requests/{draft}/", {"lines": {committed.vcpu.slug: 6}, "reason": "tests"})
    assert alice.post(f"requests/{draft}/submit/").status_code == 200
    assert marked(alice.get("requests/", updated_since=mark))[0] == [draft]


def test_projects_are_told_of_by_roles_groups_and_where_their_unit_stands(
    committed: Site,
) -> None:
    otto, now = caller(committed, "otto"), timezone.now()
    elsewhere = make_project(committed, "it-tools", "it", now).slug
    group = make_group("atlas-ops")
    _all, mark = slugs(otto.get("projects/"))
    set_role(project=committed.project, role=Role.READER, group=group, actor=None, now=now)
    found, mark = slugs(otto.get("projects/", updated_since=mark))
    assert found == ["atlas-reco"]
    set_group_members(group=group, users=[committed.mallory], now=now)
    found, mark = slugs(otto.get("projects/", updated_since=mark))
    assert found == ["atlas-reco"]
    move_unit(unit=committed.units["ep"], parent=committed.units["it"], actor=None, now=now)
    found, mark = slugs(otto.get("projects/", updated_since=mark))
    assert found == ["atlas-reco"]
    assert elsewhere not in found


def slugs(answer: Any) -> tuple[list[str], str]:
    return [each["slug"] for each in results(answer)], answer.json()["updated_until"]


def test_a_delegation_is_told_of_when_one_above_it_is_revoked(committed: Site) -> None:
    otto = caller(committed, "otto")
    of_erin, of_dana = committed.delegations["erin"], committed.delegations["dana"]
    _all, mark = marked(otto.get("delegations/"))
    revoke(delegation=of_erin, why="tests", actor=committed.otto, now=timezone.now())
    assert marked(otto.get("delegations/", updated_since=mark))[0] == [of_erin.pk, of_dana.pk]


def test_an_act_on_an_envelope_is_told_of_once(committed: Site) -> None:
    dana = caller(committed, "dana")
    _all, mark = marked(dana.get("units/atlas/acts/"))
    act = fund(offering=committed.vcpu, unit=committed.units["atlas"], amount=1, actor=None,
               now=timezone.now())  # fmt: skip
    found, mark = marked(dana.get("units/atlas/acts/", updated_since=mark))
    assert len(found) == 1
    assert act.pk
    assert marked(dana.get("units/atlas/acts/", updated_since=mark))[0] == []


def test_whom_a_request_waits_for_is_told_when_it_is_routed_anew(committed: Site) -> None:
    alice, asked = caller(committed, "alice"), submit(committed)
    _all, mark = marked(alice.get("requests/"))
    revoke(
        delegation=committed.delegations["dana"], why="tests", actor=committed.erin,
        now=timezone.now(),
    )  # fmt: skip
    route_again([asked.pk], timezone.now())
    found, mark = marked(alice.get("requests/", updated_since=mark))
    assert found == [asked.pk]
    route_again([asked.pk], timezone.now())
    assert marked(alice.get("requests/", updated_since=mark))[0] == []
