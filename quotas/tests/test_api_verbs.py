"""The verbs of the API: what each stores, and with which status it refuses."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from projects.models import Event
from quotas.models import Comment, Decision, Loan, QuotaRequest, Target
from quotas.tests.api import ROOT, approval, caller, refusal, submit
from quotas.tests.site import GIB, Site


def verbs(path: str) -> list[str]:
    """The events of a request, in order."""
    number = int(path.split("/")[1])
    rows = Event.objects.filter(subject_kind="request", subject_id=number).order_by("pk")
    return list(rows.values_list("verb", flat=True))


def test_submit_answers_201_with_the_request_and_where_it_is(site_today: Site) -> None:
    answer = caller(site_today, "alice").post(
        "requests/",
        {
            "project": "atlas-reco", "lines": {site_today.vcpu.slug: 100}, "reason": "tests",
            "until_on": (timezone.now() + timedelta(days=30)).date().isoformat(),
            "all_or_nothing": True,
        },
    )  # fmt: skip
    assert answer.status_code == 201
    made = QuotaRequest.objects.get()
    assert answer["Location"] == f"http://testserver{ROOT}requests/{made.pk}/"
    assert answer.json()["id"] == made.pk
    assert (made.all_or_nothing, made.requester) == (True, site_today.alice)
    assert verbs(f"requests/{made.pk}/") == ["submitted"]


def test_a_draft_is_written_anew_then_sent(site_today: Site) -> None:
    draft = submit(site_today, draft=True)
    alice, path = caller(site_today, "alice"), f"requests/{draft.pk}/"
    anew = alice.put(path, {"lines": {site_today.space.slug: 5 * GIB}, "reason": "for good"})
    assert [(each["offering"], each["wanted"]) for each in anew.json()["lines"]] == [
        (site_today.space.slug, 5 * GIB)
    ]
    sent = alice.post(f"{path}submit/")
    assert (sent.status_code, sent.json()["state"]) == (200, "open")
    assert refusal(alice.put(path, {"lines": {site_today.vcpu.slug: 5}, "reason": "x"})) == (
        409, "conflict",
    )  # fmt: skip
    assert refusal(alice.delete(path)) == (409, "conflict")
    assert refusal(alice.post(f"{path}submit/")) == (409, "conflict")


def test_a_draft_is_thrown_away(site_today: Site) -> None:
    draft = submit(site_today, draft=True)
    answer = caller(site_today, "alice").delete(f"requests/{draft.pk}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not QuotaRequest.objects.exists()


def test_amend_changes_lines_by_offering(site_today: Site) -> None:
    asked = submit(site_today)
    answer = caller(site_today, "alice").post(
        f"requests/{asked.pk}/amend/", {"lines": {site_today.vcpu.slug: 50}, "version": 1}
    )
    found = answer.json()
    assert (answer.status_code, found["version"], found["reason"]) == (200, 2, "tests")
    assert found["lines"][0]["wanted"] == 50


def test_amend_of_another_offering_names_the_place(site_today: Site) -> None:
    asked = submit(site_today)
    answer = caller(site_today, "alice").post(
        f"requests/{asked.pk}/amend/", {"lines": {"x/y.z": 50}, "version": 1}
    )
    assert refusal(answer) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == "#/lines/x~1y.z"


def test_amend_of_an_older_version_is_stale(site_today: Site) -> None:
    asked = submit(site_today)
    alice = caller(site_today, "alice")
    body = {"lines": {site_today.vcpu.slug: 50}, "version": 1}
    assert alice.post(f"requests/{asked.pk}/amend/", body).status_code == 200
    again = alice.post(f"requests/{asked.pk}/amend/", body)
    assert refusal(again) == (412, "stale")
    assert again.json()["facts"] == {"version": 2}


def test_return_then_answer_opens_the_lines_again(site_today: Site) -> None:
    asked = submit(site_today)
    path, line = f"requests/{asked.pk}/", asked.lines.get()
    returned = caller(site_today, "dana").post(
        f"{path}return/", {"lines": [line.pk], "reason": "For which run?", "version": 1}
    )
    assert (returned.status_code, returned.json()["kind"]) == (200, "return")
    answer = caller(site_today, "alice").post(
        f"{path}answer/", {"text": "Run 4", "lines": {site_today.vcpu.slug: 80}, "version": 2}
    )
    assert (answer.status_code, answer.json()["state"]) == (200, "open")
    assert answer.json()["lines"][0]["wanted"] == 80
    assert Comment.objects.get().text == "Run 4"
    assert verbs(path) == ["submitted", "returned", "answered"]


def test_withdraw_takes_back_what_waits(site_today: Site) -> None:
    asked = submit(site_today)
    alice, path = caller(site_today, "alice"), f"requests/{asked.pk}/withdraw/"
    assert alice.post(path).json()["state"] == "withdrawn"
    assert refusal(alice.post(path)) == (409, "conflict")


def test_approve_books_and_answers_with_the_proof(site_today: Site) -> None:
    asked = submit(site_today)
    body = approval(site_today, asked, reason="Good use.")
    answer = caller(site_today, "dana").post(f"requests/{asked.pk}/approve/", body)
    assert (answer.status_code, answer.json()["reason"]) == (200, "Good use.")
    assert answer.json()["snapshot"]["unit_path"] == "org/ep/atlas/"
    assert site_today.quota(site_today.vcpu) == 100
    assert Target.objects.get(endpoint__slug="nova-geneva").generation == 2


def test_approve_trimmed_until_a_date_lends_less(site_today: Site) -> None:
    day = (timezone.now() + timedelta(days=30)).date().isoformat()
    asked = submit(site_today, until_on=day)
    line = asked.lines.get()
    body = approval(site_today, asked, granted={str(line.pk): 60})
    assert caller(site_today, "dana").post(f"requests/{asked.pk}/approve/", body).status_code == 200
    assert Loan.objects.get().amount == 60
    loans = caller(site_today, "alice").get("projects/atlas-reco/").json()["loans"]
    assert [(each["offering"], each["outstanding"]) for each in loans] == [
        (site_today.vcpu.slug, 60)
    ]


def test_decline_says_why(site_today: Site) -> None:
    asked = submit(site_today)
    body = {"lines": [asked.lines.get().pk], "reason": "Use what you have.", "version": 1}
    answer = caller(site_today, "dana").post(f"requests/{asked.pk}/decline/", body)
    assert (answer.status_code, answer.json()["reason"]) == (200, "Use what you have.")
    state = caller(site_today, "alice").get(f"requests/{asked.pk}/").json()["state"]
    assert state == "declined"


def test_approve_with_moved_figures_is_stale_with_the_new_ones(site_today: Site) -> None:
    asked = submit(site_today)
    line = str(asked.lines.get().pk)
    answer = caller(site_today, "dana").post(
        f"requests/{asked.pk}/approve/", approval(site_today, asked, seen={line: 7})
    )
    assert refusal(answer) == (412, "stale")
    assert answer.json()["facts"]["figures"] == {line: 0}
    assert not Decision.objects.exists()


def test_approve_beyond_the_remit_tells_the_bound(site_today: Site) -> None:
    asked = submit(site_today, {site_today.vcpu.slug: 129})
    answer = caller(site_today, "dana").post(
        f"requests/{asked.pk}/approve/", approval(site_today, asked)
    )
    assert refusal(answer) == (403, "forbidden")
    facts = answer.json()["facts"]
    assert (facts["bound"], facts["most"], facts["asked"]) == ("per_decision", 128, 129)


def test_approve_without_room_tells_the_shortfall(site_today: Site) -> None:
    asked = submit(site_today, {site_today.vcpu.slug: 1100})
    answer = caller(site_today, "erin").post(
        f"requests/{asked.pk}/approve/", approval(site_today, asked)
    )
    assert refusal(answer) == (409, "no_room")
    facts = answer.json()["facts"]
    assert (facts["short"], facts["holder"], facts["next_holder"]) == (
        100, "ORG/EP/ATLAS", "ORG/EP",
    )  # fmt: skip


def test_approve_twice_is_a_conflict_even_when_stale(site_today: Site) -> None:
    asked = submit(site_today)
    body, dana = approval(site_today, asked), caller(site_today, "dana")
    assert dana.post(f"requests/{asked.pk}/approve/", body).status_code == 200
    assert refusal(dana.post(f"requests/{asked.pk}/approve/", body)) == (409, "conflict")
    assert Decision.objects.count() == 1


# Who may do what with a request of Alice's project: 2xx, 403 or 404.
MAY = {
    "submit": {"alice": 201, "bob": 403, "rita": 403, "dana": 403, "otto": 403, "mallory": 404},
    "preview": {"alice": 200, "bob": 403, "rita": 403, "dana": 403, "otto": 403, "mallory": 404},
    "amend": {"alice": 200, "bob": 403, "rita": 403, "dana": 403, "otto": 403, "mallory": 404},
    "withdraw": {"alice": 200, "bob": 403, "rita": 403, "dana": 403, "otto": 403, "mallory": 404},
    "comment": {"alice": 201, "bob": 201, "rita": 403, "dana": 201, "audrey": 403, "mallory": 404},
    "approve": {"alice": 403, "bob": 403, "rita": 403, "dana": 200, "erin": 200, "mallory": 404},
    "decline": {"alice": 403, "bob": 403, "audrey": 403, "dana": 200, "erin": 200, "mallory": 404},
    "return": {"alice": 403, "bob": 403, "audrey": 403, "dana": 200, "erin": 200, "mallory": 404},
}


@pytest.mark.parametrize(
    ("verb", "name", "status"),
    [(verb, name, status) for verb, row in MAY.items() for name, status in row.items()],
)
def test_who_may(site_today: Site, verb: str, name: str, status: int) -> None:
    asked = submit(site_today)
    line = asked.lines.get().pk
    wish = {"project": "atlas-reco", "lines": {site_today.space.slug: GIB}}
    path, body = {
        "submit": ("requests/", {**wish, "reason": "tests"}),
        "preview": ("preview/", wish),
        "amend": ("amend/", {"lines": {site_today.vcpu.slug: 50}, "version": 1}),
        "withdraw": ("withdraw/", {}),
        "comment": ("comment/", {"text": "Hello"}),
        "approve": ("approve/", approval(site_today, asked)),
        "decline": ("decline/", {"lines": [line], "reason": "No", "version": 1}),
        "return": ("return/", {"lines": [line], "reason": "Why?", "version": 1}),
    }[verb]
    if verb not in ("submit", "preview"):
        path = f"requests/{asked.pk}/{path}"
    assert caller(site_today, name).post(path, body).status_code == status
    assert refusal(caller(site_today).post(path, body)) == (401, "not_signed_in")


@pytest.mark.parametrize("name", ["bob", "dana", "otto", "mallory"])
@pytest.mark.parametrize("verb", ["submit", "replace", "discard"])
def test_somebody_elses_draft_does_not_exist(site_today: Site, name: str, verb: str) -> None:
    draft = submit(site_today, draft=True)
    person, path = caller(site_today, name), f"requests/{draft.pk}/"
    answer = {
        "submit": lambda: person.post(f"{path}submit/"),
        "replace": lambda: person.put(path, {"lines": {site_today.vcpu.slug: 1}, "reason": "x"}),
        "discard": lambda: person.delete(path),
    }[verb]()
    assert refusal(answer) == (404, "not_found")
    assert draft.lines.count() == 1


def test_a_session_keeps_its_protection_against_other_sites(site_today: Site) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(site_today.alice)
    answer = client.post(
        f"{ROOT}requests/",
        {"project": "atlas-reco", "lines": {site_today.vcpu.slug: 1}, "reason": "x"},
        "application/json",
    )
    assert refusal(answer) == (403, "forbidden")
    assert not QuotaRequest.objects.exists()
