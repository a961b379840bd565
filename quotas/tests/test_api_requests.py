"""What the API answers about requests, decisions, deliveries and previews, and to whom."""

import pytest
from django.utils import timezone

from quotas.models import Delivery, Target
from quotas.tests.api import caller, grant, refusal, results, submit
from quotas.tests.site import GIB, Site


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
    Target.objects.filter(pk=target.pk).update(state="refused")
    for name in ("alice", "audrey", "mallory"):
        answer = caller(site_today, name).post(f"targets/{target.pk}/retry/")
        assert refusal(answer) == (403, "forbidden")
    answer = caller(site_today, "otto").post(f"targets/{target.pk}/retry/")
    assert (answer.status_code, answer.json()["state"]) == (200, "due")
    Target.objects.filter(pk=target.pk).update(state="applied")
    again = caller(site_today, "otto").post(f"targets/{target.pk}/retry/")
    assert refusal(again) == (409, "conflict")


def test_everything_at_an_endpoint_is_tried_again(site_today: Site) -> None:
    Target.objects.filter(endpoint__slug="nova-geneva").update(state="refused")
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
