"""What each address of the API answers, and to whom: figures or a word, 200, 403 or 404."""

from datetime import timedelta

import pytest
from django.utils import timezone

from projects.states import Role
from quotas.models import (
    Capacity,
    Preset,
    PresetLine,
    Reading,
    Region,
    Target,
)
from quotas.states import TargetState
from quotas.tests.api import caller, grant, refusal, results
from quotas.tests.site import GIB, Site, join, make_group, make_project

LISTS = (
    "regions/", "zones/", "resources/", "offerings/", "presets/", "units/", "delegations/",
    "projects/", "requests/", "queue/", "decisions/", "events/",
)  # fmt: skip


@pytest.mark.parametrize("path", [*LISTS, "me/", "endpoints/", "targets/", "units/org/"])
def test_nobody_signed_in_is_told_to(site_today: Site, path: str) -> None:
    answer = caller(site_today).get(path)
    assert refusal(answer) == (401, "not_signed_in")
    assert answer["WWW-Authenticate"] == 'Bearer realm="remit"'


@pytest.mark.parametrize("path", LISTS)
def test_a_stranger_gets_every_list_that_starts_from_what_one_may_see(
    site_today: Site, path: str
) -> None:
    grant(site_today)
    found = results(caller(site_today, "mallory").get(path))
    own = ("delegations/", "projects/", "requests/", "queue/", "decisions/", "events/")
    if path in own:
        assert found == []


def test_me_tells_who_calls_and_for_whom_they_decide(site_today: Site) -> None:
    found = caller(site_today, "dana").get("me/").json()
    assert found["id"] == str(site_today.dana.public_id)
    assert (found["name"], found["subject"], found["issuer"]) == ("Dana", "dana", "local")
    assert (found["is_operator"], found["is_auditor"]) == (False, False)
    assert found["decides_for"] == ["org/ep/atlas/"]


def test_the_catalogue_is_for_everybody(site_today: Site) -> None:
    mallory = caller(site_today, "mallory")
    assert mallory.get("regions/geneva/").json() == {"slug": "geneva", "name": "geneva"}
    assert mallory.get("zones/geneva.compute-a/").json() == {
        "id": "geneva.compute-a", "region": "geneva", "slug": "compute-a", "name": "compute-a",
        "kind": "compute",
    }  # fmt: skip
    assert mallory.get("resources/ram/").json() == {
        "slug": "ram", "name": "RAM", "unit": "B", "step": GIB, "is_access": False,
    }  # fmt: skip
    found = results(mallory.get("offerings/"))
    assert [each["slug"] for each in found] == sorted(site_today.offerings)


@pytest.mark.parametrize(
    "path",
    [
        "regions/x/", "zones/geneva/", "zones/geneva.x/", "resources/x/", "offerings/x/",
        "presets/x/", "units/x/", "delegations/0/", "delegations/999999999999999999999/",
        "projects/x/", "requests/0/", "decisions/0/",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(site_today: Site, path: str) -> None:
    assert refusal(caller(site_today, "erin").get(path)) == (404, "not_found")


def test_zones_and_offerings_are_filtered(site_today: Site) -> None:
    alice = caller(site_today, "alice")
    assert [each["slug"] for each in results(alice.get("zones/", kind="storage"))] == ["storage-a"]
    assert results(alice.get("zones/", region="x")) == []
    found = results(alice.get("offerings/", resource="ram", region="geneva"))
    assert [each["slug"] for each in found] == ["geneva.compute-a.ram"]


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("zones/", {"kind": "x"}, "#/kind"),
        ("zones/", {"color": "x"}, "#/color"),
        ("zones/", {"region": "a\x00b"}, "#/region"),
        ("projects/", {"cursor": "x"}, "#/cursor"),
        ("projects/", {"cursor": "cD0lMDA="}, "#/cursor"),
        ("requests/", {"cursor": "cD14"}, "#/cursor"),
        ("requests/", {"requester": "x"}, "#/requester"),
        ("requests/", {"stage": "x"}, "#/stage"),
        ("events/", {"after": "x"}, "#/after"),
        ("events/", {"page_size": "0"}, "#/page_size"),
        ("decisions/", {"request": "9" * 30}, "#/request"),
        ("projects/atlas-reco/accounts/", {"as_of": "x"}, "#/as_of"),
    ],
)
def test_a_wrong_filter_is_named(
    site_today: Site, path: str, query: dict[str, str], pointer: str
) -> None:
    answer = caller(site_today, "alice").get(path, **query)
    assert refusal(answer) == (422, "invalid")
    assert {each["pointer"] for each in answer.json()["errors"]} == {pointer}


@pytest.mark.parametrize("name", ["alice", "mallory"])
def test_room_of_an_offering_is_a_word_for_most(site_today: Site, name: str) -> None:
    Capacity.objects.create(offering=site_today.vcpu, amount=1000, as_of="2020-01-01")
    found = caller(site_today, name).get(f"offerings/{site_today.vcpu.slug}/").json()
    assert found["room"] == {"word": "ample", "figures": None}


@pytest.mark.parametrize("name", ["dana", "otto", "audrey"])
def test_room_of_an_offering_is_figures_for_who_decides(site_today: Site, name: str) -> None:
    Capacity.objects.create(offering=site_today.vcpu, amount=1000, as_of="2020-01-01")
    found = caller(site_today, name).get(f"offerings/{site_today.vcpu.slug}/").json()
    assert found["room"] == {
        "word": "ample", "figures": {"promised": 0, "size": 1000, "free": 1000},
    }  # fmt: skip


def test_room_without_a_capacity_is_unknown(site_today: Site) -> None:
    found = caller(site_today, "dana").get(f"offerings/{site_today.vcpu.slug}/").json()
    assert found["room"] == {"word": "unknown", "figures": None}


def test_presets_tell_their_increases(site_today: Site) -> None:
    preset = Preset.objects.create(slug="small", name="Small", region=Region.objects.get())
    PresetLine.objects.create(preset=preset, offering=site_today.vcpu, increase=16)
    assert caller(site_today, "alice").get("presets/small/").json() == {
        "slug": "small", "name": "Small", "region": "geneva",
        "lines": [{"offering": site_today.vcpu.slug, "increase": 16}],
    }  # fmt: skip


def test_units_are_a_tree_for_everybody(site_today: Site) -> None:
    found = results(caller(site_today, "mallory").get("units/"))
    assert [(each["path"], each["parent"]) for each in found] == [
        ("org/", None), ("org/ep/", "org"), ("org/ep/atlas/", "ep"), ("org/it/", "org"),
    ]  # fmt: skip
    under = results(caller(site_today, "mallory").get("units/", under="ep"))
    assert [each["slug"] for each in under] == ["ep", "atlas"]
    assert results(caller(site_today, "mallory").get("units/", under="x")) == []


def test_envelopes_are_words_for_members_and_figures_for_the_decider(site_today: Site) -> None:
    grant(site_today)
    word = caller(site_today, "alice").get("units/atlas/").json()["envelopes"]
    assert {"offering": site_today.vcpu.slug, "room": {"word": "ample", "figures": None}} in word
    figures = caller(site_today, "dana").get("units/atlas/").json()["envelopes"]
    assert {
        "offering": site_today.vcpu.slug,
        "room": {"word": "ample", "figures": {"promised": 100, "size": 1000, "free": 900}},
    } in figures


def test_envelopes_above_ones_own_unit_stay_words(site_today: Site) -> None:
    found = caller(site_today, "dana").get("units/ep/").json()["envelopes"]
    assert {each["room"]["figures"] for each in found} == {None}


def test_delegations_are_own_or_of_the_subtree(site_today: Site) -> None:
    def seen(name: str) -> list[str]:
        found = results(caller(site_today, name).get("delegations/"))
        return [each["delegate"]["name"] for each in found]

    assert seen("alice") == []
    assert seen("dana") == ["Dana"]
    assert seen("erin") == ["Erin", "Dana"]
    assert seen("otto") == ["Otto", "Erin", "Dana", "Audrey"]


def test_a_delegation_tells_its_terms(site_today: Site) -> None:
    of_dana = site_today.delegations["dana"]
    found = caller(site_today, "dana").get(f"delegations/{of_dana.pk}/").json()
    assert (found["unit"], found["grantor"]["name"], found["is_live"]) == ("atlas", "Erin", True)
    assert {"resource": "vcpu", "zone": None, "per_decision": 128, "window_days": 30,
            "total": None, "period_days": None} in found["bounds"]  # fmt: skip


def test_a_delegation_below_a_revoked_one_is_not_live(site_today: Site) -> None:
    of_erin = site_today.delegations["erin"]
    of_erin.revoked_at = timezone.now() - timedelta(minutes=1)
    of_erin.save(update_fields=["revoked_at"])
    found = results(caller(site_today, "otto").get("delegations/", live="false"))
    assert [each["delegate"]["name"] for each in found] == ["Erin", "Dana"]


@pytest.mark.parametrize("name", ["alice", "bob", "rita", "dana", "erin", "otto", "audrey"])
@pytest.mark.parametrize("part", ["", "members/", "accounts/", "transfers/"])
def test_a_project_is_for_who_may_see_it(site_today: Site, name: str, part: str) -> None:
    assert caller(site_today, name).get(f"projects/atlas-reco/{part}").status_code == 200


@pytest.mark.parametrize("part", ["", "members/", "accounts/", "transfers/"])
def test_a_project_does_not_exist_for_a_stranger(site_today: Site, part: str) -> None:
    answer = caller(site_today, "mallory").get(f"projects/atlas-reco/{part}")
    assert refusal(answer) == (404, "not_found")


def test_a_project_tells_promised_written_seen_and_used_apart(site_today: Site) -> None:
    grant(site_today)
    limit = site_today.endpoints["nova-geneva"].limits.get(key="cores")
    target = Target.objects.get(project=site_today.project, endpoint=limit.endpoint)
    Reading.objects.create(
        target=target, limit=limit, written=64, limit_seen=64, used=12, reserved=0,
        read_at=timezone.now(),
    )  # fmt: skip
    found = caller(site_today, "bob").get("projects/atlas-reco/").json()
    assert found["roles"] == ["member"]
    assert found["quota"] == [{"offering": site_today.vcpu.slug, "balance": 100}]
    cores = next(each for each in found["limits"] if each["key"] == "cores")
    assert [cores[each] for each in ("promised", "written", "in_force", "used")] == [
        100, 64, 64, 12,
    ]  # fmt: skip
    unread = next(each for each in found["limits"] if each["key"] == "ram")
    assert [unread[each] for each in ("promised", "written", "in_force", "used", "read_at")] == [
        0, None, None, None, None,
    ]  # fmt: skip
    nova = next(each for each in found["services"] if each["endpoint"] == "nova-geneva")
    assert (nova["state"], nova["is_applied"]) == ("due", False)


def test_members_are_people_and_groups_with_their_roles(site_today: Site) -> None:
    join(site_today.project, make_group("atlas-ops"), Role.MANAGER, timezone.now())
    found = results(caller(site_today, "rita").get("projects/atlas-reco/members/"))
    assert [(each["holder"]["kind"], each["holder"]["name"], each["role"]) for each in found] == [
        ("person", "Alice", "owner"), ("person", "Bob", "member"), ("person", "Rita", "reader"),
        ("group", "atlas-ops", "manager"),
    ]  # fmt: skip


def test_accounts_and_transfers_as_of_any_moment(site_today: Site) -> None:
    before = timezone.now().isoformat()
    decision = grant(site_today)
    alice = caller(site_today, "alice")
    now = results(alice.get("projects/atlas-reco/accounts/"))
    then = results(alice.get("projects/atlas-reco/accounts/", as_of=before))
    assert [(each["offering"], each["balance"]) for each in now] == [(site_today.vcpu.slug, 100)]
    assert [each["balance"] for each in then] == [0]
    why = results(alice.get("projects/atlas-reco/transfers/", offering=site_today.vcpu.slug))
    assert [(each["amount"], each["debit"], each["decision"]) for each in why] == [
        (100, {"kind": "unit", "slug": "atlas"}, decision),
    ]  # fmt: skip
    assert why[0]["delegation"] == site_today.delegations["dana"].pk
    assert results(alice.get("projects/atlas-reco/transfers/", as_of=before)) == []


def test_transfers_of_an_unknown_offering_are_not_found(site_today: Site) -> None:
    answer = caller(site_today, "alice").get("projects/atlas-reco/transfers/", offering="x")
    assert refusal(answer) == (404, "not_found")


def test_projects_are_filtered(site_today: Site) -> None:
    make_project(site_today, "it-tools", "it", timezone.now())
    otto = caller(site_today, "otto")
    assert [each["slug"] for each in results(otto.get("projects/"))] == ["atlas-reco", "it-tools"]
    assert [each["slug"] for each in results(otto.get("projects/", unit="it"))] == ["it-tools"]
    assert results(otto.get("projects/", state="closed")) == []
    assert [each["slug"] for each in results(caller(site_today, "dana").get("projects/"))] == [
        "atlas-reco"
    ]


def test_a_service_in_trouble_is_a_sentence_and_an_id_and_never_called_applied(
    site_today: Site,
) -> None:
    Target.objects.filter(project=site_today.project, endpoint__slug="nova-geneva").update(
        state=TargetState.REFUSED, error_kind="refused", error_code="project_gone",
        error_words="Could not find project 4711", error_id="K7Q2AB",
        generation=2, applied_generation=2,
    )  # fmt: skip
    services = caller(site_today, "rita").get("projects/atlas-reco/").json()["services"]
    nova = next(each for each in services if each["endpoint"] == "nova-geneva")
    assert (nova["is_applied"], nova["error_id"]) == (False, "K7Q2AB")
    assert nova["sentence"]
    assert "4711" not in nova["sentence"]
