"""What is not well is grouped by cause, skipped with a reason, and mended by its remedy."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible
from projects.actions.events import record
from projects.models import Delegation, Event, Project
from projects.states import Power
from quotas.actions import keys
from quotas.actions.operations import retry_target
from quotas.actions.problems import apply_automatic, apply_remedy, skip_target
from quotas.actions.targets import touch_targets
from quotas.delivery import remedies
from quotas.models import DelegationBound, Delivery, Limit, Target
from quotas.problems import known
from quotas.problems.matching import Remedy, load
from quotas.queries import problems as queries
from quotas.queries.problems import group_of, targets_of, work_list
from quotas.states import TARGET_MOVES, TargetState
from quotas.tests.counting import count_queries
from quotas.tests.site import NOW, Site, make_project

LATER = NOW + timedelta(hours=1)


def target_of(project: Project, endpoint: str = "nova-geneva") -> Target:
    return Target.objects.select_related("endpoint").get(project=project, endpoint__slug=endpoint)


def fail(target: Target, code: str, words: str, **more: Any) -> Target:
    """As delivery leaves it when a service refused or did not answer."""
    values = {
        "state": TargetState.REFUSED, "error_kind": "refused", "error_code": code,
        "error_words": words, "error_id": "AB12CD", "error_at": NOW, "failure_count": 1,
        "next_try_at": NOW + timedelta(minutes=5),
    } | more  # fmt: skip
    Target.objects.filter(pk=target.pk).update(**values)
    record(
        str(values["state"]), actor=None, now=NOW - timedelta(minutes=9), subject_kind="target",
        subject_id=target.pk, code=code, error=str(values["error_id"]),
    )  # fmt: skip
    target.refresh_from_db()
    return target


def crowd(site: Site, count: int, code: str = "forbidden", words: str = "Policy 7f3a9c01") -> None:
    """That many more projects, refused at Nova."""
    for number in range(count):
        fail(target_of(make_project(site, f"crowd-{number}", "atlas", NOW)), code, words)


def lacking(site: Site, key: str = "gigabytes_storage-a") -> Target:
    words = f"This service has no limit called {key}."
    return fail(target_of(site.project, "cinder-geneva"), "key_missing", words)


def found(now: Any = LATER) -> dict[tuple[str, str], int]:
    groups = work_list(Target.objects.all(), now).groups
    return {(each.id, each.endpoint.slug): each.count for each in groups}


# --- The work list --------------------------------------------------------------------


def test_targets_are_grouped_by_known_problem_and_endpoint(site: Site) -> None:
    crowd(site, 3)
    fail(target_of(site.project), "timeout", "Nova did not answer", state=TargetState.RETRYING)
    lacking(site)
    wait = target_of(site.project, "keystone")
    Target.objects.filter(pk=wait.pk).update(state=TargetState.WAITING)
    assert found() == {
        ("forbidden", "nova-geneva"): 3,
        ("timeout", "nova-geneva"): 1,
        ("key-missing", "cinder-geneva"): 1,
        ("waits-for-project", "keystone"): 1,
    }
    # A project that was only just made is no trouble yet.
    assert ("waits-for-project", "keystone") not in found(NOW + timedelta(minutes=1))


def test_what_waits_for_a_project_that_is_made_anew_waits_since_then(site: Site) -> None:
    wait = target_of(site.project)
    Target.objects.filter(pk=wait.pk).update(
        state=TargetState.WAITING, applied_at=NOW, error_at=LATER - timedelta(minutes=1)
    )
    assert found() == {}
    (group,) = work_list(Target.objects.all(), LATER + timedelta(hours=1)).groups
    assert group.since == LATER - timedelta(minutes=1)


def test_what_nobody_knows_is_a_group_of_its_code_and_driver(site: Site) -> None:
    fail(target_of(site.project), "odd", "What?")
    assert found() == {("unknown.nova.odd", "nova-geneva"): 1}


def test_words_part_one_code_into_two_causes(site: Site) -> None:
    crowd(site, 2, "credentials", "Invalid user 9f9f9f9f")
    fail(target_of(site.project), "credentials", "The account is locked.")
    assert found() == {
        ("credentials", "nova-geneva"): 2, ("password-expired", "nova-geneva"): 1,
    }  # fmt: skip
    group = group_of(Target.objects.all(), target_of(site.project).endpoint, "credentials", LATER)
    assert group is not None
    names = {each.project.slug for each in targets_of(group, Target.objects.all(), LATER)}
    assert names == {"crowd-0", "crowd-1"}


def test_a_code_with_very_many_wordings_is_told_by_one_and_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_SHAPES", 1)
    crowd(site, 2, "credentials", "Invalid user")
    fail(target_of(site.project), "credentials", "The account is locked.")
    work = work_list(Target.objects.all(), LATER)
    assert work.is_rough
    assert [(each.id, each.count) for each in work.groups] == [("credentials", 3)]


def test_a_group_tells_since_when_and_that_some_are_tried_now(site: Site) -> None:
    crowd(site, 2)
    tried = target_of(Project.objects.get(slug="crowd-0"))
    Target.objects.filter(pk=tried.pk).update(state=TargetState.DUE)
    (group,) = work_list(Target.objects.all(), LATER).groups
    assert (group.count, group.trying, group.example) == (2, 1, "Policy 7f3a9c01")
    # The first of the record of acts, not the last failure.
    assert group.since == NOW - timedelta(minutes=9)


def test_what_is_applied_or_new_is_no_problem(site: Site) -> None:
    assert found() == {}


def test_the_list_costs_the_same_for_many(site: Site) -> None:
    def load() -> object:
        return work_list(Target.objects.all(), LATER).groups

    crowd(site, 1)
    few, _ = count_queries(load)
    crowd_more = [make_project(site, f"more-{number}", "atlas", NOW) for number in range(30)]
    for number, project in enumerate(crowd_more):
        fail(target_of(project), ("forbidden", "timeout", "odd")[number % 3], f"words {number}")
    many, said = count_queries(load)
    assert (few, many) == (2, 2), said


# --- Skip -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(TargetState))
def test_skip_moves_what_the_table_lets_move(site: Site, state: TargetState) -> None:
    target = target_of(site.project)
    lease: dict[str, Any] = {}
    if state == TargetState.LEASED:
        lease = {"lease_token": "00000000-0000-0000-0000-000000000001", "lease_until": LATER}
    Target.objects.filter(pk=target.pk).update(state=state, next_try_at=NOW, **lease)

    def skip() -> Target:
        return skip_target(target_id=target.pk, reason="Later.", actor=site.otto, now=LATER)

    if (state, "skip") in TARGET_MOVES:
        done = skip()
        assert (done.state, done.skip_reason, done.next_try_at) == ("skipped", "Later.", None)
        event = Event.objects.get(verb="skipped")
        assert (event.subject_id, event.actor) == (target.pk, site.otto)
    else:
        with pytest.raises(Conflict):
            skip()
        assert not Event.objects.filter(verb="skipped").exists()


def test_skip_lasts_until_the_ledger_changes(site: Site) -> None:
    target = fail(target_of(site.project), "forbidden", "no")
    skip_target(target_id=target.pk, reason="Later.", actor=site.otto, now=LATER)
    assert found() == {("left-out-by-operator", "nova-geneva"): 1}
    touch_targets(Target.objects.filter(endpoint=site.endpoints["nova-geneva"]))
    target.refresh_from_db()
    assert (target.state, target.skip_reason) == (TargetState.DUE, "")


def test_skip_asks_for_a_reason_of_bounded_length(site: Site) -> None:
    target = fail(target_of(site.project), "forbidden", "no")
    for reason in ("", "  ", "x" * 501, "a\x00b"):
        with pytest.raises(Invalid) as refused:
            skip_target(target_id=target.pk, reason=reason, actor=site.otto, now=LATER)
        assert list(refused.value.errors) == ["reason"]


def test_skip_is_for_operators_and_for_repairers_within_their_zones(site: Site) -> None:
    target = fail(target_of(site.project), "forbidden", "no")
    for name in ("alice", "dana", "audrey"):
        with pytest.raises(Forbidden):
            skip_target(target_id=target.pk, reason="Later.", actor=site.people[name], now=LATER)
    with pytest.raises(NotVisible):
        skip_target(target_id=target.pk, reason="Later.", actor=site.mallory, now=LATER)
    give_repairs(site, "bob", zone="storage-a")
    with pytest.raises(Forbidden, match="compute-a"):
        skip_target(target_id=target.pk, reason="Later.", actor=site.bob, now=LATER)
    give_repairs(site, "rita", zone="compute-a")
    skip_target(target_id=target.pk, reason="Later.", actor=site.rita, now=LATER)
    with pytest.raises(NotVisible):
        skip_target(target_id=0, reason="Later.", actor=site.otto, now=LATER)


def give_repairs(site: Site, name: str, *, zone: str) -> None:
    delegation = Delegation.objects.create(
        user=site.people[name], powers=[Power.RETRY_DELIVERIES], unit=site.units["org"],
        starts_at=NOW, created_at=NOW,
    )  # fmt: skip
    place = next(each.zone for each in site.offerings.values() if each.zone.slug == zone)
    DelegationBound.objects.create(delegation=delegation, zone=place)


# --- Remedies -------------------------------------------------------------------------


def test_a_problem_without_a_remedy_from_here_is_a_conflict_that_says_what_fixes_it(
    site: Site,
) -> None:
    target = fail(target_of(site.project), "forbidden", "no")
    with pytest.raises(Conflict, match="Give the account the role"):
        apply_remedy(target_id=target.pk, actor=site.otto, now=LATER)


def test_another_cause_than_the_one_seen_is_a_conflict(site: Site) -> None:
    target = fail(target_of(site.project), "unexpected", "302")
    with pytest.raises(Conflict, match="another trouble"):
        apply_remedy(target_id=target.pk, cause="forbidden", actor=site.otto, now=LATER)
    apply_remedy(target_id=target.pk, cause="unexpected", actor=site.otto, now=LATER)
    target.refresh_from_db()
    assert target.state == TargetState.DUE


def test_the_limit_that_a_service_lacks_is_left_out_by_operators_alone(site: Site) -> None:
    target = lacking(site)
    other = fail(
        target_of(make_project(site, "other", "atlas", NOW), "cinder-geneva"),
        "key_missing", target.error_words,
    )  # fmt: skip
    give_repairs(site, "rita", zone="storage-a")
    with pytest.raises(Forbidden, match="only operators"):
        apply_remedy(target_id=target.pk, actor=site.rita, now=LATER)
    apply_remedy(target_id=target.pk, actor=site.otto, now=LATER)
    left = Limit.objects.get(key="gigabytes_storage-a")
    assert (left.left_out_at, left.left_out_by) == (LATER, site.otto)
    assert not Limit.objects.filter(left_out_at__isnull=False).exclude(pk=left.pk).exists()
    # All who were refused for it go on.
    states = set(Target.objects.filter(pk__in=[target.pk, other.pk]).values_list("state"))
    assert states == {(TargetState.DUE,)}


def test_a_limit_is_taken_in_again_and_its_lines_wait_to_be_applied(site: Site) -> None:
    limit = Limit.objects.get(key="gigabytes_storage-a")
    keys.leave_out(limit=limit, reason="No such type.", actor=site.otto, now=LATER)
    with pytest.raises(Conflict):
        keys.leave_out(limit=limit, reason="Again.", actor=site.otto, now=LATER)
    with pytest.raises(Forbidden):
        keys.take_in(limit=limit, actor=site.audrey, now=LATER)
    before = target_of(site.project, "cinder-geneva").generation
    keys.take_in(limit=limit, actor=site.otto, now=LATER)
    limit.refresh_from_db()
    assert (limit.left_out_at, limit.left_out_by, limit.left_out_reason) == (None, None, "")
    assert target_of(site.project, "cinder-geneva").generation == before + 1
    assert not Delivery.objects.filter(left_out_at__isnull=False).exists()
    with pytest.raises(Conflict):
        keys.take_in(limit=limit, actor=site.otto, now=LATER)


def test_looking_again_is_done_by_itself_once_for_each_error(site: Site) -> None:
    target = fail(target_of(site.project), "unexpected", "302", error_id="FIRST1")
    fail(target_of(site.project, "cinder-geneva"), "forbidden", "no")
    assert remedies.apply_due() == 1
    target.refresh_from_db()
    assert target.state == TargetState.DUE
    event = Event.objects.get(verb="remedied")
    assert (event.actor, event.data["remedy"], event.data["error"]) == (None, "reread", "FIRST1")
    fail(target, "unexpected", "302", error_id="FIRST1")
    assert remedies.apply_due() == 0
    fail(target, "unexpected", "302", error_id="OTHER2")
    assert remedies.apply_due() == 1


def test_leaving_a_limit_out_goes_by_itself_where_the_site_says_so(
    site: Site, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = lacking(site)
    assert remedies.apply_due() == 0
    assert not apply_automatic(target_id=target.pk, now=timezone.now())
    file = tmp_path / "site.yaml"
    file.write_text("- id: key-missing\n  automatic: true\n")
    site_known = load(str(file))
    monkeypatch.setattr("quotas.problems.matching.known", lambda: site_known)
    for module in ("quotas.queries.problems", "quotas.delivery.remedies"):
        monkeypatch.setattr(f"{module}.known", lambda: site_known)
    assert remedies.apply_due() == 1
    left = Limit.objects.get(key="gigabytes_storage-a")
    assert left.left_out_by is None
    assert left.left_out_reason == known().match("cinder", "key_missing", target.error_words).title


def test_what_only_has_the_code_keeps_no_remedy_from_what_also_has_the_words(
    site: Site, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = target_of(make_project(site, "other", "atlas", NOW), "cinder-geneva")
    fail(other, "key_missing", "Something else.", error_id="FIRST1")
    Target.objects.filter(pk=other.pk).update(error_at=NOW - timedelta(days=9))
    lacking(site)
    file = tmp_path / "site.yaml"
    file.write_text("- id: key-missing\n  automatic: true\n")
    site_known = load(str(file))
    for module in ("quotas.queries.problems", "quotas.delivery.remedies"):
        monkeypatch.setattr(f"{module}.known", lambda: site_known)
    monkeypatch.setattr(remedies, "BATCH", 1)
    assert remedies.apply_due() == 1


def test_every_remedy_of_the_catalogue_is_one_that_can_be_applied_or_needs_nobody() -> None:
    from quotas.actions.problems import APPLIED

    assert {each.remedy for each in known().problems} <= {
        *APPLIED, Remedy.WAIT, Remedy.NONE, Remedy.ADOPT,
    }  # fmt: skip


def test_retry_of_what_was_skipped_takes_it_up_again(site: Site) -> None:
    target = fail(target_of(site.project), "forbidden", "no")
    skip_target(target_id=target.pk, reason="Later.", actor=site.otto, now=LATER)
    retry_target(endpoint=target.endpoint, target_id=target.pk, actor=site.otto, now=LATER)
    target.refresh_from_db()
    assert (target.state, target.skip_reason) == (TargetState.DUE, "")
