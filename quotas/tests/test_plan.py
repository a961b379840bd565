"""The plan says of every limit what delivery would do, and readings are asked for with measure."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.testing.html import text_of
from projects.models import Event
from quotas.backends.base import Figure
from quotas.delivery.wanted import compare, wanted_limits
from quotas.models import Drift, Endpoint, Limit, Reading, Target
from quotas.queries.plan import PlanLimit, Show, Verdict, plan_of, planned_targets, totals
from quotas.queries.plan_words import is_asked, warnings_of
from quotas.states import DriftKind, DriftPolicy, EndpointState, TargetState
from quotas.tests.counting import assert_flat
from quotas.tests.pages.deciding import page, signed_in, text
from quotas.tests.site import GIB, Site, make_project
from quotas.tests.test_decide import ask, grant

PLAN = reverse("endpoint_plan", args=["nova-geneva"])


@pytest.fixture
def site(site_today: Site) -> Site:
    """100 vCPU granted to the project, whose Nova target was never read."""
    grant(site_today, ask(site_today, {site_today.vcpu.slug: 100}))
    return site_today


def target_of(site: Site, endpoint: str = "nova-geneva") -> Target:
    return Target.objects.select_related("project__unit", "endpoint__identity").get(
        project=site.project, endpoint__slug=endpoint
    )


def seen(site: Site, **figures: tuple[int | None, int]) -> None:
    """The last reading of Nova: {key: (limit, used)}; others of its keys were not named."""
    target, read_at = target_of(site), timezone.now()
    for key, (limit, used) in figures.items():
        row = Limit.objects.get(endpoint=target.endpoint, key=key)
        Reading.objects.update_or_create(
            target=target,
            limit=row,
            defaults={"limit_seen": limit, "used": used, "reserved": 0, "read_at": read_at},
        )
    Target.objects.filter(pk=target.pk).update(observed_at=read_at, looked_at=read_at)


def put(site: Site, **fields: Any) -> Target:
    Target.objects.filter(pk=target_of(site).pk).update(**fields)
    return target_of(site)


def limit_of(site: Site, key: str = "cores") -> PlanLimit:
    (row,) = plan_of([target_of(site)], Show.ALL)
    return next(each for each in row.limits if each.limit.key == key)


def words(site: Site, key: str = "cores") -> list[str]:
    return [each.code for each in warnings_of(limit_of(site, key), target_of(site))]


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


# --- pages ------------------------------------------------------------------------------


def test_the_page_shows_figures_and_says_when_all_is_as_granted(site: Site) -> None:
    seen(site, cores=(20, 5), ram=(0, 0))
    html = text(page(site, "audrey", PLAN))
    assert "1 limit will change" in html
    assert "+80" in html
    assert "ram" not in text_of(html)
    assert "ram" in text_of(text(page(site, "otto", f"{PLAN}?show=all")))
    seen(site, cores=(100, 5), ram=(0, 0))
    assert "Nothing to do" in text(page(site, "otto", PLAN))


def test_the_page_names_what_holds_everything_up(site: Site) -> None:
    Endpoint.objects.filter(slug="keystone").update(state=EndpointState.UNREACHABLE)
    assert "Keystone does not answer" in text(page(site, "otto", PLAN))


def test_a_plan_of_a_project_goes_over_its_services(site: Site) -> None:
    html = text(page(site, "otto", reverse("project_plan", args=["atlas-reco"])))
    assert "Nova geneva" in html
    assert "Cinder geneva" in html
    assert page(site, "alice", reverse("project_plan", args=["atlas-reco"])).status_code == 403


def test_a_plan_costs_the_same_for_many(site: Site) -> None:
    def grow() -> None:
        for number in range(40):
            make_project(site, f"p{number:02}", "atlas", timezone.now())

    for where, url in (("page", PLAN), ("api", "/api/v1/endpoints/nova-geneva/plan/")):
        grow_once: Callable[[], object] = grow if where == "page" else lambda: None
        assert_flat(f"plan {where}", lambda url=url: _ok(site, url), grow_once)  # type: ignore[misc]


def _ok(site: Site, url: str) -> None:
    assert page(site, "otto", url).status_code == 200


# --- readings that are asked for --------------------------------------------------------


@pytest.fixture
def standing(site: Site) -> Site:
    """Read an hour ago, as it should be."""
    seen(site, cores=(100, 5), ram=(0, 0))
    before = timezone.now() - timedelta(hours=1)
    put(site, state=TargetState.APPLIED, next_try_at=None, observed_at=before, looked_at=before)
    return site


def refresh(site: Site, name: str = "otto", **headers: str) -> Any:
    target = target_of(site)
    url = reverse("target_refresh", args=["nova-geneva", target.pk])
    return signed_in(site, name).post(url, headers=headers)


def test_a_reading_is_asked_for_and_awaited(standing: Site) -> None:
    assert refresh(standing).status_code == 302
    target = target_of(standing)
    assert target.looked_at is None
    assert is_asked(target, timezone.now())
    put(standing, looked_at=timezone.now(), observed_at=timezone.now())
    assert not is_asked(target_of(standing), timezone.now())


def test_a_row_polls_until_its_reading_has_come(standing: Site) -> None:
    part = text(refresh(standing, **{"HX-Request": "true"}))
    assert "a reading is asked for" in part
    assert "data-poll" in part
    url = reverse("target_plan", args=["nova-geneva", target_of(standing).pk])
    client = signed_in(standing, "otto")
    assert "data-poll" in text(client.get(url, headers={"HX-Request": "true"}))
    assert "data-poll" not in text(client.get(f"{url}?looks=30", headers={"HX-Request": "true"}))
    put(standing, looked_at=timezone.now(), observed_at=timezone.now())
    done = text(client.get(url, headers={"HX-Request": "true"}))
    # The figures in the head are those of now, too.
    assert 'id="plan-totals" hx-swap-oob="true"' in done
    assert "data-poll" not in done
    assert "atlas-reco was read again." in done
    assert client.get(url).status_code == 302


def test_a_look_that_failed_ends_the_waiting_with_its_words(standing: Site) -> None:
    refresh(standing)
    put(
        standing,
        looked_at=timezone.now(),
        look_error_code="unavailable",
        look_error_words="Try later.",
    )
    assert not is_asked(target_of(standing), timezone.now())
    assert "Try later." in text(page(standing, "otto", f"{PLAN}?show=all"))


def test_what_was_just_read_is_not_read_again(standing: Site) -> None:
    put(standing, looked_at=timezone.now(), observed_at=timezone.now())
    assert refresh(standing).status_code == 409
    assert "read a moment ago" in text(refresh(standing, **{"HX-Request": "true"}))


@pytest.mark.parametrize(
    "state", [TargetState.DUE, TargetState.WAITING, TargetState.RETRYING, TargetState.DIRTY]
)
def test_a_target_that_is_in_work_anyway_says_why_no_reading_comes(
    standing: Site, state: TargetState
) -> None:
    put(standing, state=state, next_try_at=timezone.now())
    assert refresh(standing).status_code == 409
    html = text(page(standing, "otto", f"{PLAN}?show=all"))
    assert "Read again" not in html


@pytest.mark.parametrize("state", [EndpointState.PAUSED, EndpointState.UNREACHABLE])
def test_no_reading_is_asked_for_where_nothing_is_called(
    standing: Site, state: EndpointState
) -> None:
    Endpoint.objects.filter(slug="nova-geneva").update(state=state)
    assert refresh(standing).status_code == 409
    assert target_of(standing).looked_at is not None


def test_a_page_of_targets_is_asked_for_at_once(standing: Site) -> None:
    other = make_project(standing, "other", "atlas", timezone.now())
    ids = list(Target.objects.filter(endpoint__slug="nova-geneva").values_list("pk", flat=True))
    url = reverse("endpoint_refresh", args=["nova-geneva"])
    answer = signed_in(standing, "otto").post(url, {"target": ids, "show": "all", "page": "2"})
    assert answer.headers["Location"] == f"{PLAN}?show=all&page=2"
    assert target_of(standing).looked_at is None
    assert Target.objects.get(project=other, endpoint__slug="nova-geneva").state == TargetState.DUE
    assert Event.objects.filter(verb="refreshed").count() == 0


def test_both_doors_refuse_alike(standing: Site) -> None:
    put(standing, looked_at=timezone.now())
    pk = target_of(standing).pk
    client = signed_in(standing, "otto")
    calls = [
        (f"/api/v1/targets/{pk}/refresh/", {}),
        ("/api/v1/endpoints/nova-geneva/refresh/", {"targets": [pk]}),
        ("/api/v1/endpoints/nova-geneva/refresh/", {"targets": [pk] * 51}),
    ]
    answers = [client.post(url, body, "application/json") for url, body in calls]
    assert [each.status_code for each in answers] == [409, 409, 409]
    url = reverse("endpoint_refresh", args=["nova-geneva"])
    assert client.post(url, {"target": [pk]}).status_code == 409
    assert client.post(url, {"target": [pk] * 51}).status_code == 409


def test_the_api_tells_the_plan(standing: Site) -> None:
    seen(standing, cores=(150, 101), ram=(0, 0))
    answer = Client()
    answer.force_login(standing.people["otto"])
    (row,) = answer.get("/api/v1/endpoints/nova-geneva/plan/").json()["results"]
    (limit,) = row["limits"]
    assert limit | {"warnings": [], "read_at": None} == {
        "key": "cores", "name": "cores", "unit": "", "granted": 100, "seen": 150, "used": 101,
        "reserved": 0, "verdict": "below", "becomes": 150, "warnings": [], "read_at": None,
    }  # fmt: skip
    assert [each["code"] for each in limit["warnings"]] == ["below"]
    asked = answer.get("/api/v1/endpoints/nova-geneva/plan/?show=changes").json()
    assert asked["results"] == []
