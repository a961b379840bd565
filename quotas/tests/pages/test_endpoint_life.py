"""What people read at the pages of endpoints, and of projects, while one is closed or failing."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from quotas.models import CallSlot, Contribution, Endpoint, Limit, Target
from quotas.queries.repairers import zones_by_endpoint
from quotas.states import EndpointState, TargetState
from quotas.tests.api import caller
from quotas.tests.counting import assert_flat
from quotas.tests.pages.acting import grant
from quotas.tests.pages.closing import NOVA, pause, repairs, url
from quotas.tests.pages.deciding import act, ask, form, page, signed_in, text
from quotas.tests.site import Site, make_project

# --- closing and opening ----------------------------------------------------------------


def test_the_page_says_before_what_a_pause_holds_up(site_today: Site) -> None:
    html = " ".join(text(page(site_today, "otto", url("pause"))).split())
    assert "Hold up the changes of 1 project" in html
    assert "1 change waits now" in html
    assert "compute-a (geneva)" in html
    assert "Every service behind it stops too" not in html


def test_a_pause_of_an_identity_endpoint_names_every_service_behind_it(site_today: Site) -> None:
    make_project(site_today, "other", "it", timezone.now())
    html = text(page(site_today, "otto", url("pause", "keystone")))
    assert "Hold up the changes of 2 projects" in html
    assert "Every service behind it stops too" in html
    for name in ("Nova geneva", "Cinder geneva"):
        assert name in html
    assert "no new project is made" in text(page(site_today, "otto", url("restrict", "keystone")))


def test_an_end_is_read_in_the_readers_zone(site_today: Site) -> None:
    otto = site_today.otto
    otto.time_zone = "Asia/Tokyo"
    otto.save(update_fields=["time_zone"])
    client = signed_in(site_today, "otto")
    answer = client.post(url("pause"), {"reason": "Upgrade", "until": "2100-01-31T14:00"})
    assert answer.status_code == 302
    until = Endpoint.objects.get(slug=NOVA).state_until
    assert until is not None
    assert until.isoformat() == "2100-01-31T05:00:00+00:00"


def test_a_form_that_is_refused_comes_back_whole(site_today: Site) -> None:
    client = signed_in(site_today, "otto")
    answer = client.post(url("pause"), {"reason": "Half a rea<son", "until": "tomorrow"})
    html = text(answer, 422)
    assert "Half a rea&lt;son" in html
    assert "That is no moment" in html
    assert 'role="alert"' in html


def test_a_pause_is_changed_from_what_it_says_now(site_today: Site) -> None:
    pause(site_today)
    client = signed_in(site_today, "otto")
    shown = client.get(url("pause"))
    assert "New &lt;b&gt;disks&lt;/b&gt;" in text(shown)
    sent = {"reason": "Disks <i>and</i> memory", "seen": shown.context["form"]["seen"].value()}
    assert client.post(url("pause"), sent).status_code == 302
    late = client.post(url("pause"), sent | {"reason": "My own words"})
    assert late.status_code == 412
    html = late.content.decode()
    for said in ("Somebody else changed", "My own words", "Disks &lt;i&gt;and&lt;/i&gt; memory"):
        assert said in html
    # Sent once more it is meant: the page holds the number of what it shows.
    sent = {"reason": "Both", "seen": late.context["form"]["seen"].value()}
    assert client.post(url("pause"), sent).status_code == 302
    client.post(url("resume"))
    history = text(client.get(url("detail")))
    for said in ("New &lt;b&gt;disks&lt;/b&gt;", "Disks &lt;i&gt;and&lt;/i&gt; memory", "Both"):
        assert said in history
    answer = caller(site_today, "otto").get(f"endpoints/{NOVA}/words/").json()["results"]
    assert [each["state"] for each in answer] == ["open", "paused", "paused", "paused"]
    assert answer[1]["actor"]["name"] == "Otto"


def test_a_closed_endpoint_says_who_why_and_until_when(site_today: Site) -> None:
    pause(site_today)
    html = text(page(site_today, "otto", url("detail")))
    assert "nothing is called here" in html
    assert "New &lt;b&gt;disks&lt;/b&gt;" in html
    assert "Otto" in html
    assert "It opens by itself" in html
    assert "1 change waits" in html
    assert "Resume" in html
    listed = text(page(site_today, "otto", reverse("endpoint_list")))
    assert "New &lt;b&gt;disks&lt;/b&gt;" in listed
    client = signed_in(site_today, "otto")
    answer = client.post(url("resume"), follow=True)
    assert "Nova geneva is open again; 1 change goes on." in text(answer)


def test_auditors_read_and_do_nothing(site_today: Site) -> None:
    html = text(page(site_today, "audrey", url("detail")))
    assert "Pause…" not in html
    assert page(site_today, "audrey", url("pause")).status_code == 403


def test_calls_are_shown_with_their_bounds(site_today: Site) -> None:
    nova = site_today.endpoints[NOVA]
    CallSlot.objects.create(
        endpoint=nova, number=1, holder="0" * 32, held_until=timezone.now() + timedelta(minutes=1)
    )
    CallSlot.objects.create(endpoint=nova, number=2)
    Endpoint.objects.filter(pk=nova.pk).update(concurrency=4)
    words = " ".join(text(page(site_today, "otto", url("detail"))).split())
    assert "1 of 4 calls at once, no limit per second" in words
    Endpoint.objects.filter(pk=nova.pk).update(calls_per_second=5)
    words = " ".join(text(page(site_today, "otto", url("detail"))).split())
    assert "1 of 4 calls at once, at most 5 a second" in words


def test_a_silent_endpoint_tells_its_next_probe(site_today: Site) -> None:
    Endpoint.objects.filter(slug=NOVA).update(
        state=EndpointState.UNREACHABLE, state_reason="connection refused",
        failing_since=timezone.now(), next_probe_at=timezone.now() + timedelta(seconds=40),
    )  # fmt: skip
    html = text(page(site_today, "otto", url("detail")))
    assert "connection refused" in html
    assert "one worker at a time looks" in html


# --- requesters -------------------------------------------------------------------------


def test_requesters_read_who_paused_it_why_and_until_when(site_today: Site) -> None:
    asked = ask(site_today)
    act(site_today, "dana", "approve", asked, form(site_today, asked, do="asked"))
    pause(site_today)
    for address in (
        reverse("project_detail", args=["atlas-reco"]),
        reverse("request_detail", args=[asked.pk]),
    ):
        html = text(page(site_today, "alice", address))
        assert "Nova geneva is paused" in html, address
        assert "It opens again by" in html
        assert "Otto says: New &lt;b&gt;disks&lt;/b&gt;" in html


def test_requesters_read_that_an_identity_service_holds_up_the_others(site_today: Site) -> None:
    asked = ask(site_today)
    act(site_today, "dana", "approve", asked, form(site_today, asked, do="asked"))
    pause(site_today, "keystone")
    html = text(page(site_today, "alice", reverse("project_detail", args=["atlas-reco"])))
    assert "Keystone is paused" in html


# --- cost -------------------------------------------------------------------------------


def grow(site: Site) -> None:
    nova = site.endpoints[NOVA]
    for number in range(30):
        Endpoint.objects.create(
            slug=f"nova-{number}", name=f"Nova {number}", region=nova.region, driver="nova",
            cloud="sandbox", identity=nova.identity, state=EndpointState.PAUSED,
            state_by=site.otto, state_since=timezone.now(),
        )  # fmt: skip
        limit = Limit.objects.create(
            endpoint=Endpoint.objects.get(slug=f"nova-{number}"), key="cores", name="cores"
        )
        Contribution.objects.create(offering=site.vcpu, limit=limit)
    for number in range(10):
        make_project(site, f"more-{number}", "atlas", timezone.now())


def test_lists_of_endpoints_cost_the_same_for_few_and_for_many(site_today: Site) -> None:
    repairs(site_today, "mallory", "compute-a", "storage-a")
    operator, rosa = signed_in(site_today, "otto"), signed_in(site_today, "mallory")

    def load() -> None:
        for client in (operator, rosa):
            for address in (reverse("endpoint_list"), url("detail"), url("pause", "keystone")):
                assert client.get(address).status_code == 200

    assert_flat("endpoints", load, lambda: grow(site_today))
    assert len(zones_by_endpoint()) == 33


# --- what waits says so -----------------------------------------------------------------


def set_state(slug: str, state: EndpointState) -> None:
    Endpoint.objects.filter(slug=slug).update(state=state, state_reason="Upgrade")


def applying(site: Site) -> str:
    """The page of a request that Dana approved and no worker has touched, as Alice reads it."""
    asked = ask(site, {site.vcpu.slug: 100})
    grant(site, asked)
    return reverse("request_detail", args=[asked.pk])


def test_what_is_due_at_a_closed_endpoint_waits_and_is_not_next(site_today: Site) -> None:
    address = applying(site_today)
    assert "is next" in text(page(site_today, "alice", address))
    pause(site_today)
    for name, each in (("alice", address), ("otto", url("detail"))):
        html = text(page(site_today, name, each))
        assert "waits" in html
        assert "is next" not in html, each
    # The other services are open, and theirs is next.
    assert "waits" in text(page(site_today, "otto", reverse("endpoint_list")))
    assert "once it is open" in text(page(site_today, "otto", url("detail")))


def test_what_a_paused_identity_service_holds_up_is_said_to_requesters(site_today: Site) -> None:
    address = applying(site_today)
    set_state("keystone", EndpointState.PAUSED)
    html = text(page(site_today, "alice", address))
    assert "Keystone is paused" in html
    assert "is next" not in html


def test_a_read_only_identity_service_holds_up_no_service(site_today: Site) -> None:
    address = applying(site_today)
    set_state("keystone", EndpointState.READ_ONLY)
    assert "is next" in text(page(site_today, "alice", address))


def test_a_reading_is_not_offered_where_nothing_is_called(site_today: Site) -> None:
    address = url("plan") + "?show=all"
    read_at = timezone.now()
    Target.objects.filter(endpoint__slug=NOVA).update(
        state=TargetState.APPLIED, observed_at=read_at, looked_at=read_at
    )
    assert "Read again" in text(page(site_today, "otto", address))
    pause(site_today)
    html = text(page(site_today, "otto", address))
    assert "Read again" not in html
    assert "nothing is written or read there" in html


def test_what_an_operator_wrote_ends_as_a_sentence(site_today: Site) -> None:
    address = applying(site_today)
    Target.objects.filter(endpoint__slug=NOVA).update(
        state=TargetState.SKIPPED, skip_reason="New disks on Monday", error_id="ABC234"
    )
    assert "New disks on Monday." in text(page(site_today, "alice", address))
