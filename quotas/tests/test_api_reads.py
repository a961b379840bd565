"""What each address of the API answers, and to whom: figures or a word, 200, 403 or 404."""

from datetime import timedelta

import pytest
from django.utils import timezone

from projects.states import Role
from quotas.models import (
    Capacity,
    Delivery,
    Preset,
    PresetLine,
    Reading,
    Region,
    Target,
)
from quotas.tests.api import approval, caller, refusal, submit
from quotas.tests.site import GIB, Site, join, make_group, make_project

LISTS = (
    "regions/", "zones/", "resources/", "offerings/", "presets/", "units/", "delegations/",
    "projects/", "requests/", "queue/", "decisions/", "events/",
)  # fmt: skip


def results(answer: object) -> list[dict[str, object]]:
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def grant(site: Site) -> int:
    """Alice asks for 100 vCPU, Dana grants them; the number of the decision."""
    asked = submit(site)
    answer = caller(site, "dana").post(f"requests/{asked.pk}/approve/", approval(site, asked))
    assert answer.status_code == 201, answer.content
    return int(answer.json()["id"])


@pytest.mark.parametrize("path", [*LISTS, "me/", "endpoints/", "targets/", "units/org/"])
def test_nobody_signed_in_is_told_to(site_today: Site, path: str) -> None:
    answer = caller(site_today).get(path)
    assert refusal(answer) == (401, "not_signed_in")
    assert answer["WWW-Authenticate"] == 'Session realm="remit"'


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
        "slug": "ram", "name": "RAM", "unit": "B", "step": GIB,
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
    now = alice.get("projects/atlas-reco/accounts/").json()
    then = alice.get("projects/atlas-reco/accounts/", as_of=before).json()
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


def test_a_request_tells_its_lines_and_whom_they_wait_for(site_today: Site) -> None:
    asked = submit(site_today)
    found = caller(site_today, "bob").get(f"requests/{asked.pk}/").json()
    assert (found["state"], found["version"], found["requester"]["name"]) == ("open", 1, "Alice")
    line = found["lines"][0]
    assert [line[each] for each in ("offering", "state", "wanted", "balance", "granted")] == [
        site_today.vcpu.slug, "open", 100, 0, None,
    ]  # fmt: skip
    assert [each["name"] for each in line["waits_for"]] == ["Dana"]


def test_a_granted_request_is_applying_until_it_was_read_back(site_today: Site) -> None:
    grant(site_today)
    alice = caller(site_today, "alice")
    found = results(alice.get("requests/"))[0]
    assert found["state"] == "applying"
    assert [(each["endpoint"], each["applied_at"]) for each in found["lines"][0]["deliveries"]] == [
        ("nova-geneva", None)
    ]
    Delivery.objects.update(applied_at=timezone.now())
    assert results(alice.get("requests/"))[0]["state"] == "applied"


def test_a_draft_is_its_writers_alone(site_today: Site) -> None:
    draft = submit(site_today, draft=True)
    for name in ("bob", "dana", "otto"):
        answer = caller(site_today, name).get(f"requests/{draft.pk}/")
        assert refusal(answer) == (404, "not_found")
        assert results(caller(site_today, name).get("requests/")) == []
    assert caller(site_today, "alice").get(f"requests/{draft.pk}/").json()["state"] == "draft"


def test_requests_are_filtered(site_today: Site) -> None:
    asked, draft = submit(site_today), submit(site_today, {site_today.space.slug: GIB}, draft=True)
    alice = caller(site_today, "alice")

    def numbers(**query: str) -> list[object]:
        return [each["id"] for each in results(alice.get("requests/", **query))]

    assert numbers() == [draft.pk, asked.pk]
    assert numbers(stage="draft") == [draft.pk]
    assert numbers(stage="waiting") == [asked.pk]
    assert numbers(project="x") == []
    assert numbers(requester=str(site_today.alice.public_id)) == [draft.pk, asked.pk]
    assert numbers(requester=str(site_today.bob.public_id)) == []


def test_a_list_is_read_page_by_page(site_today: Site) -> None:
    numbers = [submit(site_today, {each: GIB}).pk for each in sorted(site_today.offerings)]
    alice = caller(site_today, "alice")
    first = alice.get("requests/", page_size=2).json()
    assert [each["id"] for each in first["results"]] == numbers[:0:-1]
    second = alice.client.get(first["next"]).json()
    assert [each["id"] for each in second["results"]] == numbers[:1]
    assert second["next"] is None


def test_the_queue_is_of_who_decides(site_today: Site) -> None:
    asked = submit(site_today)
    assert [each["id"] for each in results(caller(site_today, "dana").get("queue/"))] == [asked.pk]
    for name in ("alice", "erin", "mallory"):
        assert results(caller(site_today, name).get("queue/")) == []


def test_the_proof_of_a_decision_is_for_who_may_see_figures(site_today: Site) -> None:
    number = grant(site_today)
    for name, may_see in (("alice", False), ("dana", True), ("otto", True), ("audrey", True)):
        found = caller(site_today, name).get(f"decisions/{number}/").json()
        assert (found["kind"], found["person"]["name"]) == ("approve", "Dana")
        assert [(each["before"], each["granted"]) for each in found["lines"]] == [(0, 100)]
        assert (found["snapshot"] is not None) == may_see
    listed = results(caller(site_today, "alice").get("decisions/"))
    assert [each["id"] for each in listed] == [number]


def test_the_decisions_of_one_request(site_today: Site) -> None:
    number = grant(site_today)
    request = caller(site_today, "alice").get(f"decisions/{number}/").json()["request"]
    alice = caller(site_today, "alice")
    assert len(results(alice.get("decisions/", request=request))) == 1
    assert results(alice.get("decisions/", request=request + 1)) == []


def test_comments_are_read_by_who_sees_the_request(site_today: Site) -> None:
    asked = submit(site_today)
    caller(site_today, "bob").post(f"requests/{asked.pk}/comment/", {"text": "It is urgent."})
    found = results(caller(site_today, "rita").get(f"requests/{asked.pk}/comments/"))
    assert [(each["author"]["name"], each["text"]) for each in found] == [("Bob", "It is urgent.")]
    answer = caller(site_today, "mallory").get(f"requests/{asked.pk}/comments/")
    assert refusal(answer) == (404, "not_found")


@pytest.mark.parametrize("path", ["endpoints/", "endpoints/nova-geneva/", "targets/"])
def test_operations_are_for_operators_and_auditors(site_today: Site, path: str) -> None:
    for name in ("otto", "audrey"):
        assert caller(site_today, name).get(path).status_code == 200
    for name in ("alice", "dana", "mallory"):
        assert refusal(caller(site_today, name).get(path)) == (403, "forbidden")


def test_endpoints_count_their_targets(site_today: Site) -> None:
    found = caller(site_today, "otto").get("endpoints/nova-geneva/").json()
    assert (found["state"], found["identity"], found["targets"]) == ("open", "keystone", {"due": 1})


def test_targets_are_filtered_and_tell_the_services_own_words(site_today: Site) -> None:
    Target.objects.filter(endpoint__slug="nova-geneva").update(
        state="refused", error_words="Quota limit is below usage", error_id="AB23"
    )
    found = results(caller(site_today, "otto").get("targets/", state="refused"))
    assert [(each["endpoint"], each["error_words"]) for each in found] == [
        ("nova-geneva", "Quota limit is below usage")
    ]
    assert results(caller(site_today, "otto").get("targets/", project="x")) == []


def test_a_target_is_tried_again_by_operators_alone(site_today: Site) -> None:
    target = Target.objects.get(endpoint__slug="nova-geneva")
    Target.objects.filter(pk=target.pk).update(state="refused", next_try_at=None)
    for name in ("alice", "audrey", "mallory"):
        answer = caller(site_today, name).post(f"targets/{target.pk}/retry/")
        assert refusal(answer) == (403, "forbidden")
    answer = caller(site_today, "otto").post(f"targets/{target.pk}/retry/")
    assert (answer.status_code, answer.json()["state"]) == (200, "due")
    Target.objects.filter(pk=target.pk).update(state="applied")
    again = caller(site_today, "otto").post(f"targets/{target.pk}/retry/")
    assert refusal(again) == (409, "conflict")


def test_everything_at_an_endpoint_is_tried_again(site_today: Site) -> None:
    Target.objects.filter(endpoint__slug="nova-geneva").update(state="refused", next_try_at=None)
    answer = caller(site_today, "otto").post("endpoints/nova-geneva/retry/")
    assert (answer.status_code, answer.json()) == (200, {"count": 1})


def test_a_preview_tells_what_a_wish_would_do_and_stores_nothing(site_today: Site) -> None:
    body = {"project": "atlas-reco", "lines": {site_today.vcpu.slug: 100}}
    found = caller(site_today, "alice").post("preview/", body).json()
    line = found["lines"][0]
    assert [line[each] for each in ("offering", "now", "wanted", "change")] == [
        site_today.vcpu.slug, 0, 100, 100,
    ]  # fmt: skip
    assert line["decider"] == {"names": ["Dana"], "unit": "ORG/EP/ATLAS"}
    assert line["room"]["holder"] == "ORG/EP/ATLAS"
    assert results(caller(site_today, "alice").get("requests/")) == []


def test_a_preview_is_for_who_may_ask(site_today: Site) -> None:
    body = {"project": "atlas-reco", "lines": {site_today.vcpu.slug: 100}}
    assert refusal(caller(site_today, "bob").post("preview/", body)) == (403, "forbidden")
    assert refusal(caller(site_today, "mallory").post("preview/", body)) == (404, "not_found")
    body["lines"] = {"x.y.z": 1, site_today.vcpu.slug: -1}
    answer = caller(site_today, "alice").post("preview/", body)
    assert refusal(answer) == (422, "invalid")
    assert {each["pointer"] for each in answer.json()["errors"]} == {
        "#/lines/x.y.z", f"#/lines/{site_today.vcpu.slug}",
    }  # fmt: skip


def test_projects_are_filtered(site_today: Site) -> None:
    make_project(site_today, "it-tools", "it", timezone.now())
    otto = caller(site_today, "otto")
    assert [each["slug"] for each in results(otto.get("projects/"))] == ["atlas-reco", "it-tools"]
    assert [each["slug"] for each in results(otto.get("projects/", unit="it"))] == ["it-tools"]
    assert results(otto.get("projects/", state="closed")) == []
    assert [each["slug"] for each in results(caller(site_today, "dana").get("projects/"))] == [
        "atlas-reco"
    ]
