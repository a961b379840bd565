"""The plan says of every limit what delivery would do."""

from datetime import timedelta

import pytest
from django.utils import timezone

from quotas.backends.base import Figure
from quotas.delivery.wanted import compare, wanted_limits
from quotas.models import Drift, Endpoint, Limit, Reading, Target
from quotas.queries.plan import Show, Verdict, plan_of, planned_targets, totals
from quotas.states import DriftKind, DriftPolicy, TargetState
from quotas.tests.pages.deciding import page, text
from quotas.tests.plan.readings import PLAN, limit_of, put, seen, target_of, words
from quotas.tests.site import GIB, Site, make_project


def test_what_was_never_read_is_not_guessed(site: Site) -> None:
    found = limit_of(site)
    assert (found.verdict, found.seen, found.becomes) == (Verdict.UNREAD, None, None)
    assert words(site) == ["unread"]


def test_what_differs_will_be_written(site: Site) -> None:
    seen(site, cores=(20, 5), ram=(0, 0))
    found = limit_of(site)
    assert (found.verdict, found.seen, found.becomes, found.change) == (
        Verdict.WRITE, 20, 100, 80,
    )  # fmt: skip
    assert limit_of(site, "ram").verdict == Verdict.SAME
    assert words(site) == []


def test_nothing_will_be_written_below_use(site: Site) -> None:
    seen(site, cores=(200, 101), ram=(0, 0))
    found = limit_of(site)
    assert (found.verdict, found.becomes) == (Verdict.BELOW, 200)
    assert words(site) == ["below"]


def test_nothing_will_be_written_above_the_maximum(site: Site) -> None:
    Limit.objects.filter(key="cores").update(maximum=99)
    seen(site, cores=(20, 0), ram=(0, 0))
    assert (limit_of(site).verdict, words(site)) == (Verdict.ABOVE, ["above"])


def test_no_limit_becomes_a_number(site: Site) -> None:
    seen(site, cores=(-1, 0), ram=(0, 0))
    assert (limit_of(site).verdict, words(site)) == (Verdict.WRITE, ["unlimited"])
    assert limit_of(site).change is None


def test_what_everybody_has_is_neither_given_nor_taken_away(site: Site) -> None:
    Limit.objects.filter(key="ram").update(maximum=1)
    seen(site, cores=(100, 0), ram=(-1, 0))
    assert (limit_of(site, "ram").verdict, words(site, "ram")) == (Verdict.PUBLIC, ["public"])
    found = compare(wanted_limits(target_of(site)), {"cores": Figure(100), "ram": Figure(-1)})
    assert [each.limit.key for each in found.public] == ["ram"]


def test_a_key_that_the_last_reading_did_not_name_is_missing(site: Site) -> None:
    seen(site, cores=(20, 0))
    seen(site, ram=(0, 0))
    assert (limit_of(site).verdict, words(site)) == (Verdict.MISSING, ["missing"])


def test_a_limit_that_is_new_in_the_catalogue_is_unread_not_missing(site: Site) -> None:
    seen(site, ram=(0, 0))
    put(site, state=TargetState.DUE)
    assert limit_of(site).verdict == Verdict.UNREAD
    put(site, state=TargetState.REFUSED)
    assert limit_of(site).verdict == Verdict.MISSING


def test_what_was_left_out_is_said_once_and_where_something_is_granted(site: Site) -> None:
    seen(site, cores=(20, 0), ram=(10 * GIB, 0))
    Limit.objects.filter(endpoint__slug="nova-geneva").update(
        left_out_at=timezone.now(), left_out_reason="Not in this release"
    )
    assert limit_of(site).verdict == limit_of(site, "ram").verdict == Verdict.LEFT_OUT
    assert (words(site), words(site, "ram")) == (["left_out"], [])
    html = text(page(site, "otto", PLAN))
    assert html.count("Not in this release") == 2  # cores and ram, once each
    assert "Nothing to do" in html


def test_what_was_changed_outside_stays_unless_the_policy_restores_it(site: Site) -> None:
    seen(site, cores=(20, 0), ram=(0, 0))
    put(site, state=TargetState.APPLIED, next_try_at=None)
    assert (limit_of(site).verdict, words(site)) == (Verdict.DRIFT, ["drift"])
    Endpoint.objects.filter(slug="nova-geneva").update(drift_policy=DriftPolicy.RESTORE)
    assert limit_of(site).verdict == Verdict.WRITE


def test_a_skipped_target_is_left_as_it_is(site: Site) -> None:
    seen(site, cores=(20, 0), ram=(0, 0))
    put(site, state=TargetState.SKIPPED, skip_reason="Waits for the move", next_try_at=None)
    assert (limit_of(site).verdict, words(site)) == (Verdict.SKIPPED, ["skipped"])


def test_open_drift_warns_until_it_is_ignored(site: Site) -> None:
    seen(site, cores=(100, 120), ram=(0, 0))
    now = timezone.now()
    drift = Drift.objects.create(
        target=target_of(site), limit=Limit.objects.get(key="cores"), found_at=now,
        kind=DriftKind.USAGE_ABOVE, confirmed_at=now,
    )  # fmt: skip
    assert (limit_of(site).is_warned, words(site)) == (True, ["drift"])
    Drift.objects.filter(pk=drift.pk).update(ignored_until=now + timedelta(days=1))
    assert (limit_of(site).is_warned, words(site)) == (False, [])


FACES: list[dict[str, tuple[int | None, int]]] = [
    {},
    {"cores": (100, 0), "ram": (0, 0)},
    {"cores": (20, 0), "ram": (-1, 0)},
    {"cores": (200, 150), "ram": (GIB, 0)},
    {"cores": (100, 150), "ram": (GIB, 2 * GIB)},
    {"ram": (0, 0)},
    {"cores": (None, 0), "ram": (0, 0)},
]


@pytest.mark.parametrize("maximum", [None, 99])
@pytest.mark.parametrize("face", FACES, ids=str)
def test_the_plan_agrees_with_what_delivery_does(
    site: Site, face: dict[str, tuple[int | None, int]], maximum: int | None
) -> None:
    Limit.objects.filter(key="cores").update(maximum=maximum)
    seen(site, **face)
    put(site, state=TargetState.REFUSED)
    steps = dict(Limit.objects.values_list("key", "step"))
    done = compare(
        wanted_limits(target_of(site)),
        {
            key: Figure(limit if limit is None or limit < 0 else limit // steps[key],
                        used // steps[key], 0)
            for key, (limit, used) in face.items()
        },
    )  # fmt: skip
    (row,) = plan_of([target_of(site)], Show.ALL)
    planned = {
        verdict: {x.limit.key for x in row.limits if x.verdict == verdict} for verdict in Verdict
    }
    if not face:
        assert planned[Verdict.UNREAD] == {"cores", "ram"}
        return
    assert planned[Verdict.WRITE] == set(done.write)
    assert planned[Verdict.BELOW] == {each.limit.key for each, _figure in done.below}
    assert planned[Verdict.ABOVE] == {each.limit.key for each in done.above}
    assert planned[Verdict.PUBLIC] == {each.limit.key for each in done.public}
    assert planned[Verdict.MISSING] == {each.limit.key for each in done.missing}


def test_a_plan_is_filtered_and_counted(site: Site) -> None:
    seen(site, cores=(20, 0), ram=(0, 0))
    scope = Target.objects.filter(endpoint__slug="nova-geneva")
    other = make_project(site, "other", "atlas", timezone.now())
    found = {show: set(planned_targets(scope, show).values_list("project__slug", flat=True))
             for show in Show}  # fmt: skip
    assert found == {
        Show.OPEN: {"atlas-reco", "other"}, Show.CHANGES: {"atlas-reco"},
        Show.WARNINGS: {"other"}, Show.ALL: {"atlas-reco", "other"},
    }  # fmt: skip
    counted = totals(scope)
    assert (counted.target_count, counted.changing_count, counted.change_count) == (2, 1, 1)
    assert (counted.warning_count, counted.unread_count) == (2, 1)
    assert counted.oldest_at == Reading.objects.earliest("read_at").read_at
    assert totals(scope.filter(project=other)).oldest_at is None
