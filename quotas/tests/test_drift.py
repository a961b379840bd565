"""What differs in a cloud: found once, kept while it lasts, ended, restored, ignored."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from contrib.sandbox.control import RunningSandbox
from contrib.testing.clouds import SandboxSite
from contrib.testing.plain import PlainClient
from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible
from projects.models import Event
from quotas.actions import drift as verbs
from quotas.actions.targets import wake_targets
from quotas.backends.base import Figure
from quotas.delivery import drift as noting
from quotas.delivery.converge import converge
from quotas.delivery.observe import observe, stale_in_turn
from quotas.delivery.wanted import wanted_limits
from quotas.models import Drift, Endpoint, Limit, ProjectHandle, Reading, Target
from quotas.queries.drift import SHOWN, coverage, drift_counts, shown_as, unanswered
from quotas.queries.drift_words import sentence_of
from quotas.states import DriftEnd, EndpointState, TargetState
from quotas.tests.site import GIB, Site, make_project
from quotas.tests.test_decide import ask, grant

SERVICES = {"nova-geneva": "compute", "cinder-geneva": "volumev3"}


def target_at(endpoint: str, site: Site) -> Target:
    return Target.objects.select_related("endpoint", "project__unit").get(
        project=site.project, endpoint__slug=endpoint
    )


def work(site: Site, *endpoints: str) -> None:
    """Have each target made true, whatever state it is in."""
    for slug in endpoints:
        target = target_at(slug, site)
        wake_targets([target])
        converge(target.pk)


def look(site: Site, *endpoints: str) -> None:
    """Look at each target, however lately that was done."""
    for slug in endpoints or ("nova-geneva",):
        Target.objects.update(looked_at=None)
        observe(target_at(slug, site).pk)


@pytest.fixture
def cloud(sandbox: RunningSandbox, settings: Settings) -> RunningSandbox:
    settings.CLOUDS_YAML = str(sandbox.clouds_yaml)
    settings.CALL_TIMEOUT_SECONDS = 2
    return sandbox


@pytest.fixture
def standing(site: Site, cloud: RunningSandbox) -> Iterator[Site]:
    """The project is in the cloud with 128 cores and 10 GiB; gone again afterwards."""
    grant(site, ask(site, {site.vcpu.slug: 128, site.space.slug: 10 * GIB}))
    work(site, "keystone", "nova-geneva", "cinder-geneva")
    yield site
    for handle in ProjectHandle.objects.all():
        try:
            cloud.delete_project(handle.external_id)
        except ValueError:
            pass  # the test deleted it


@pytest.fixture
def outside(sandbox_site: SandboxSite, standing: Site) -> "Outside":
    return Outside(sandbox_site.plain)


class Outside:
    """Somebody who works in the cloud behind Remit's back."""

    def __init__(self, plain: PlainClient) -> None:
        self.plain = plain

    @property
    def project(self) -> str:
        return ProjectHandle.objects.get().external_id

    def set_limits(self, endpoint: str = "nova-geneva", **limits: int) -> None:
        body = {"quota_set": limits}
        path = f"/os-quota-sets/{self.project}"
        self.plain.done("PUT", SERVICES[endpoint], path, body, region="geneva")

    def cores(self) -> int:
        return self.plain.compute_limits("geneva", self.project)["cores"]

    def change_project(self, **values: Any) -> None:
        body = {"project": values}
        self.plain.done("PATCH", "identity", f"/projects/{self.project}", body)


def rows() -> list[tuple[str, str, int | None, int | None]]:
    """The open drift: kind, key, wanted, seen."""
    found = Drift.objects.filter(ended_at__isnull=True).order_by("kind", "limit__key")
    return [(row.kind, row.limit.key if row.limit else "", row.wanted, row.seen) for row in found]


CHANGED = [("limit changed", "cores", 128, 200)]


def test_a_limit_that_was_changed_outside_is_found_once(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=200)
    look(standing)
    first = Drift.objects.get()
    assert rows() == CHANGED
    assert sentence_of(first) == "Nova geneva says 200 for cores instead of 128."
    look(standing)
    again = Drift.objects.get()
    assert again.found_at == first.found_at
    assert again.confirmed_at > first.confirmed_at
    assert target_at("nova-geneva", standing).state == TargetState.APPLIED
    assert outside.cores() == 200
    found = Event.objects.get(verb="drift_found")
    assert (found.data["endpoint"], found.data["limit"], found.data["seen"]) == (
        "nova-geneva", "cores", 200,
    )  # fmt: skip


def test_a_limit_that_is_right_again_ends_its_drift(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=200)
    look(standing)
    outside.set_limits(cores=128)
    look(standing)
    assert [each.end for each in Drift.objects.all()] == [DriftEnd.GONE]
    outside.set_limits(cores=64)
    look(standing)
    assert rows() == [("limit changed", "cores", 128, 64)]
    assert Drift.objects.count() == 2


def test_what_a_decision_changed_and_nobody_delivered_is_no_drift(
    standing: Site, outside: Outside
) -> None:
    target = target_at("nova-geneva", standing)
    before = noting.standing(target)
    grant(standing, ask(standing, {standing.vcpu.slug: 20}))
    wanted = noting_of(target)
    noting.note_limits(before, *wanted)
    assert rows() == []
    # The same figures without the decision are none either: the ledger says what they say.
    look(standing)
    assert rows() == []


def noting_of(target: Target) -> Any:
    """What is wanted by now, and the figures that the last reading kept."""
    seen = {
        each.limit.key: Figure((each.limit_seen or 0) // each.limit.step, each.used, each.reserved)
        for each in Reading.objects.filter(target=target).select_related("limit")
    }
    return wanted_limits(target), seen


def test_no_limit_at_all_is_a_kind_of_its_own(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=-1)
    look(standing)
    assert rows() == [("unlimited", "cores", 128, -1)]
    outside.set_limits(cores=300)
    look(standing)
    assert rows() == [("limit changed", "cores", 128, 300)]


def test_use_above_a_limit_is_found_beside_the_limit_that_was_lowered(
    standing: Site, outside: Outside, cloud: RunningSandbox
) -> None:
    cloud.set_usage(outside.project, "geneva", "compute", {"cores": 6}, reserved={"cores": 2})
    outside.plain.done(
        "PUT", "compute", f"/os-quota-sets/{outside.project}",
        {"quota_set": {"cores": 5, "force": True}}, region="geneva",
    )  # fmt: skip
    look(standing)
    assert rows() == [("limit changed", "cores", 128, 5), ("usage above", "cores", 5, 8)]
    cloud.set_usage(outside.project, "geneva", "compute", {"cores": 1})
    look(standing)
    assert rows() == [("limit changed", "cores", 128, 5)]


def test_a_key_that_is_gone_is_missing_until_it_is_left_out(
    standing: Site, outside: Outside
) -> None:
    Limit.objects.filter(key="cores").update(key="wishes")
    look(standing)
    assert rows() == [("key missing", "wishes", 128, None)]
    Limit.objects.filter(key="wishes").update(left_out_at=timezone.now())
    look(standing)
    assert rows() == []


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        ({"enabled": False}, "project disabled", "The project is disabled in Keystone."),
        ({"name": "mine-now"}, "project renamed", "Keystone calls the project mine-now."),
        (None, "project missing", "The project is gone from Keystone."),
    ],
)
def test_what_happened_to_the_project_is_found_at_its_identity_service_once(
    standing: Site, outside: Outside, change: dict[str, Any] | None, kind: str, sentence: str
) -> None:
    if change is None:
        outside.plain.done("DELETE", "identity", f"/projects/{outside.project}")
    else:
        outside.change_project(**change)
    look(standing, "nova-geneva", "cinder-geneva", "keystone")
    found = Drift.objects.get(ended_at__isnull=True)
    assert (found.kind, found.target.endpoint.slug) == (kind, "keystone")
    assert sentence_of(found) == sentence
    if change is not None:
        outside.change_project(enabled=True, name=standing.project.name)
        work(standing, "keystone")
        assert rows() == []


def test_restoring_writes_what_is_wanted_and_ends_it(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=200)
    look(standing)
    verbs.restore(drift=Drift.objects.get(), actor=standing.otto, now=timezone.now())
    assert target_at("nova-geneva", standing).state == TargetState.DUE
    work(standing, "nova-geneva")
    ended = Drift.objects.get()
    assert (ended.end, ended.restore_asked_by) == (DriftEnd.RESTORED, standing.otto)
    assert outside.cores() == 128
    with pytest.raises(Conflict, match="it was restored"):
        verbs.restore(drift=ended, actor=standing.otto, now=timezone.now())


def test_a_policy_restores_by_itself_and_nobody_asked(standing: Site, outside: Outside) -> None:
    Endpoint.objects.filter(slug="nova-geneva").update(drift_policy="restore")
    outside.set_limits(cores=-1)
    look(standing)
    found = Drift.objects.get()
    assert found.restore_asked_at is not None
    assert found.restore_asked_by is None
    assert target_at("nova-geneva", standing).state == TargetState.DUE
    work(standing, "nova-geneva")
    assert Drift.objects.get().end == DriftEnd.RESTORED
    assert outside.cores() == 128


def test_a_policy_leaves_alone_what_is_skipped_and_what_is_ignored(
    standing: Site, outside: Outside
) -> None:
    Endpoint.objects.filter(slug="nova-geneva").update(drift_policy="restore")
    Target.objects.filter(pk=target_at("nova-geneva", standing).pk).update(
        state=TargetState.SKIPPED, skip_reason="moving house"
    )
    outside.set_limits(cores=200)
    look(standing)
    assert rows() == CHANGED
    assert Drift.objects.get().restore_asked_at is None
    Target.objects.update(state=TargetState.APPLIED)
    day = timezone.localdate() + timedelta(days=3)
    verbs.ignore(
        drift=Drift.objects.get(), until_on=day, reason="A test.", actor=standing.otto,
        now=timezone.now(),
    )  # fmt: skip
    look(standing)
    assert target_at("nova-geneva", standing).state == TargetState.APPLIED
    assert outside.cores() == 200


def test_a_project_that_is_gone_is_not_made_anew_by_a_policy(
    standing: Site, outside: Outside
) -> None:
    Endpoint.objects.update(drift_policy="restore")
    outside.plain.done("DELETE", "identity", f"/projects/{outside.project}")
    look(standing, "keystone")
    assert Drift.objects.get().restore_asked_at is None


def test_what_is_ignored_is_not_counted_until_its_day_is_over(
    standing: Site, outside: Outside
) -> None:
    outside.set_limits(cores=200)
    look(standing)
    found, now = Drift.objects.get(), timezone.now()
    nova = target_at("nova-geneva", standing).endpoint
    assert drift_counts([nova], now)[nova.pk] == 1
    day = timezone.localdate() + timedelta(days=3)
    verbs.ignore(drift=found, until_on=day, reason="A test.", actor=standing.otto, now=now)
    assert drift_counts([nova], now)[nova.pk] == 0
    later = now + timedelta(days=5)
    assert list(Drift.objects.filter(shown_as(SHOWN, later))) == [found]


@pytest.mark.parametrize(
    ("days", "reason", "fields"),
    [(-1, "Because.", {"until_on"}), (400, "", {"until_on", "reason"}), (1, " ", {"reason"})],
)
def test_ignoring_takes_a_day_and_a_reason(
    standing: Site, outside: Outside, days: int, reason: str, fields: set[str]
) -> None:
    outside.set_limits(cores=200)
    look(standing)
    with pytest.raises(Invalid) as refused:
        verbs.ignore(
            drift=Drift.objects.get(), until_on=timezone.localdate() + timedelta(days=days),
            reason=reason, actor=standing.otto, now=timezone.now(),
        )  # fmt: skip
    assert set(refused.value.errors) == fields


def test_what_is_ignored_is_back_as_soon_as_it_is_something_else(
    standing: Site, outside: Outside
) -> None:
    outside.set_limits(cores=200)
    look(standing)
    drift, now = Drift.objects.get(), timezone.now()
    day = timezone.localdate(now) + timedelta(days=9)
    verbs.ignore(drift=drift, until_on=day, reason="Agreed.", actor=standing.otto, now=now)
    look(standing)
    assert not Drift.objects.filter(shown_as(SHOWN, now)).exists()

    outside.set_limits(cores=9000)
    look(standing)
    drift = Drift.objects.filter(shown_as(SHOWN, now)).get()
    assert (drift.seen, drift.ignored_by, drift.ignore_reason) == (9000, None, "")


def test_only_who_repairs_there_restores(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=200)
    look(standing)
    for name in ("alice", "dana", "audrey", "mallory"):
        with pytest.raises(NotVisible if name == "mallory" else Forbidden):
            verbs.restore(
                drift=Drift.objects.get(), actor=standing.people[name], now=timezone.now()
            )


def test_what_writing_cannot_mend_is_refused_with_what_helps(
    standing: Site, outside: Outside
) -> None:
    Limit.objects.filter(key="cores").update(key="wishes")
    look(standing)
    with pytest.raises(Conflict, match="leave the limit out"):
        verbs.restore(drift=Drift.objects.get(), actor=standing.otto, now=timezone.now())


def test_a_refused_target_is_looked_at_for_the_limits_that_were_true(
    standing: Site, outside: Outside, cloud: RunningSandbox
) -> None:
    cloud.set_usage(outside.project, "geneva", "compute", {"cores": 50})
    ram = standing.offerings["geneva.compute-a.ram"]
    grant(standing, ask(standing, {ram.slug: 8 * GIB}))
    work(standing, "nova-geneva")
    grant(standing, ask(standing, {standing.vcpu.slug: 20}))
    work(standing, "nova-geneva")
    assert target_at("nova-geneva", standing).state == TargetState.REFUSED
    assert rows() == []
    outside.set_limits(ram=99)
    look(standing)
    assert rows() == [("limit changed", "ram", 8 * GIB, 99 * 2**20)]


def test_delivery_of_a_later_change_writes_all_that_differs_and_ends_it_too(
    standing: Site, outside: Outside
) -> None:
    outside.set_limits(cores=200)
    look(standing)
    ram = standing.offerings["geneva.compute-a.ram"]
    grant(standing, ask(standing, {ram.slug: 8 * GIB}))
    work(standing, "nova-geneva")
    assert (outside.cores(), Drift.objects.get().end) == (128, DriftEnd.RESTORED)


def test_an_attempt_that_finds_a_limit_changed_and_cannot_write_it_says_so(
    standing: Site, outside: Outside, cloud: RunningSandbox
) -> None:
    outside.set_limits(cores=200)
    cloud.set_usage(outside.project, "geneva", "compute", {"cores": 150})
    work(standing, "nova-geneva")
    assert target_at("nova-geneva", standing).error_code == "below_usage"
    assert rows() == CHANGED


def test_a_look_that_saw_nothing_is_named_and_never_counted_as_fine(
    standing: Site, outside: Outside, cloud: RunningSandbox, settings: Settings
) -> None:
    look(standing)
    nova = target_at("nova-geneva", standing).endpoint
    # Read long ago by now.
    settings.OBSERVE_SECONDS = 0.001
    with cloud.add_fault("status", service="compute", status=503, message="Not now."):
        look(standing)
    found = coverage([nova], timezone.now())[0]
    assert (found.target_count, found.fresh_count, found.unanswered_count) == (1, 0, 1)
    assert [each.look_error_words for each in unanswered(Target.objects.all())] == ["Not now."]
    settings.OBSERVE_SECONDS = 300
    look(standing)
    found = coverage([nova], timezone.now())[0]
    assert (found.fresh_count, found.unanswered_count, found.is_complete) == (1, 0, True)


@pytest.mark.parametrize("change", [None, {"enabled": False}])
def test_what_has_no_project_to_read_is_named_apart_and_not_counted_as_read(
    standing: Site, outside: Outside, cloud: RunningSandbox, change: dict[str, Any] | None
) -> None:
    if change is None:
        cloud.delete_project(outside.project)
    else:
        outside.change_project(**change)
    look(standing, "keystone", "nova-geneva")
    found = coverage([target_at("nova-geneva", standing).endpoint], timezone.now())[0]
    assert (found.fresh_count, found.gone_count, found.stale_count) == (0, 1, 0)
    # The identity service itself was read.
    found = coverage([target_at("keystone", standing).endpoint], timezone.now())[0]
    assert (found.fresh_count, found.gone_count) == (1, 0)


def test_endpoints_take_turns_at_being_looked_at(site: Site) -> None:
    """One where looks find no room keeps the oldest readings and must not keep all places."""
    for number in range(4):
        make_project(site, f"p{number}", "atlas", timezone.now())
    now = timezone.now()
    Target.objects.update(state=TargetState.APPLIED, next_try_at=None, looked_at=now)
    Target.objects.filter(endpoint__slug="nova-geneva").update(looked_at=None)
    day_ago = now - timedelta(days=1)
    Target.objects.filter(endpoint__slug="cinder-geneva").update(looked_at=day_ago)
    sent = Target.objects.filter(pk__in=stale_in_turn(4)).values_list("endpoint__slug", flat=True)
    assert sorted(sent) == ["cinder-geneva"] * 2 + ["nova-geneva"] * 2


def test_one_broken_project_is_named_and_the_others_are_looked_at(
    standing: Site, outside: Outside
) -> None:
    other = make_project(standing, "broken", "atlas", timezone.now())
    keystone = standing.endpoints["keystone"]
    # What nobody foresaw: an id that is no id.
    ProjectHandle.objects.create(
        project=other, identity=keystone, external_id="../../x", created_at=timezone.now()
    )
    broken = Target.objects.get(project=other, endpoint__slug="nova-geneva")
    Target.objects.filter(pk=broken.pk).update(state=TargetState.APPLIED, next_try_at=None)
    Target.objects.update(looked_at=None, observed_at=None)
    observe(broken.pk)
    observe(target_at("nova-geneva", standing).pk)
    broken.refresh_from_db()
    assert broken.look_error_code != ""
    assert broken.observed_at is None
    assert target_at("nova-geneva", standing).observed_at is not None


def test_a_paused_endpoint_is_not_looked_at_and_says_so(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=200)
    Endpoint.objects.filter(slug="nova-geneva").update(
        state=EndpointState.PAUSED, state_since=Now()
    )
    look(standing)
    assert rows() == []
    nova = target_at("nova-geneva", standing).endpoint
    assert coverage([nova], timezone.now())[0].is_held
