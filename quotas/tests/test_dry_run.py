"""`dry_run=true`: the plan is what the real call then does, and nothing at all is stored."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from projects.models import Delegation, KeptAnswer
from projects.states import Role, TokenScope
from quotas.models import Decision, QuotaRequest, RequestLine, Target
from quotas.tests.api import ROOT, approval, caller, refusal, submit
from quotas.tests.site import GIB, Site, join, make_project
from quotas.tests.test_automatic import few, rule
from quotas.tests.test_consumption import bound_of
from quotas.tests.test_tokens import WISH, calling, token_for

if TYPE_CHECKING:
    pass

from quotas.tests.rehearsing import (
    BOTH,
    DRY,
    VCPU,
    done,
    everything,
    limits_now,
    plan,
    read_all,
    route,
    send,
)


def test_asking_tells_the_route_and_is_what_is_then_sent(site_today: Site) -> None:
    alice = caller(site_today, "alice")
    found = plan(alice, "requests/", BOTH)
    assert (found["state"], found["is_automatic"]) == ("open", False)
    sent = done(alice, "requests/", BOTH)
    assert [(each["id"], each["offering"], each["state"], each["wanted"], each["now"])
            for each in found["lines"]] == [
        (None, each["offering"], each["state"], each["wanted"], each["balance_seen"])
        for each in sent["lines"]
    ]  # fmt: skip
    assert found["state"] == sent["state"]
    waiting = alice.get(f"requests/{sent['id']}/waiting/").json()["lines"]
    assert [route(each["waits"]) for each in found["lines"]] == [route(each) for each in waiting]
    assert found["lines"][0]["waits"]["decides"][0]["names"][0]["name"] == "Dana"
    assert found["lines"][0]["draws_from"] == {"kind": "unit", "slug": "atlas"}


def test_asking_tells_what_each_limit_would_be_once_it_is_granted(site_today: Site) -> None:
    alice, dana = caller(site_today, "alice"), caller(site_today, "dana")
    found = plan(alice, "requests/", BOTH)["limits"]
    assert {(each["verdict"], each["becomes"], each["after"]) for each in found} == {
        (None, None, 0)
    }
    asked = QuotaRequest.objects.get(pk=done(alice, "requests/", BOTH)["id"])
    done(dana, f"requests/{asked.pk}/approve/", approval(site_today, asked))
    now = limits_now(site_today)
    assert {(each["endpoint"], each["key"]): each["if_granted"] for each in found} == {
        where: granted for where, (granted, _verdict) in now.items() if granted
    }


def test_what_a_rule_grants_is_planned_as_automatic_with_what_is_written(site_today: Site) -> None:
    site, alice = site_today, caller(site_today, "alice")
    rule(site, few(site), now=timezone.now() - timedelta(hours=1))
    read_all(site)
    wish = BOTH | {"lines": {VCPU: 32}}
    found = plan(alice, "requests/", wish)
    line = found["lines"][0]
    assert (found["is_automatic"], line["state"], line["granted"]) == (True, "granted", 32)
    sent = done(alice, "requests/", wish)
    decision = Decision.objects.get(request=sent["id"])
    assert (line["rule"], line["decided_by"]["name"]) == (str(decision.policy_version), "Dana")
    assert line["delegation"] == decision.lines.get().delegation_id
    assert found["state"] == sent["state"]
    _assert_written(site, found)


def test_half_of_it_may_be_automatic(site_today: Site) -> None:
    rule(site_today, few(site_today), now=timezone.now() - timedelta(hours=1))
    found = plan(caller(site_today, "alice"), "requests/", BOTH)
    assert [(each["state"], each["rule"] is None) for each in found["lines"]] == [
        ("granted", False), ("open", True),
    ]  # fmt: skip
    assert found["is_automatic"] is False
    assert {each["endpoint"]: (each["promised"], each["after"], each["if_granted"])
            for each in found["limits"]} == {
        "nova-geneva": (0, 32, 32), "cinder-geneva": (0, 0, 5 * GIB),
    }  # fmt: skip


def _assert_written(site: Site, found: Any) -> None:
    """What the plan says of limits is what delivery now makes of them."""
    now = limits_now(site)
    planned = {(each["endpoint"], each["key"]): each for each in found["limits"]}
    assert planned
    for where, each in planned.items():
        assert (each["after"], each["verdict"]) == now[where]
        assert each["becomes"] == each["after" if each["verdict"] == "write" else "in_force"]
        assert each["verdict"] == "write"
    raised = Target.objects.filter(project=site.project, generation__gt=0)
    written = {where for where, (_granted, verdict) in now.items() if verdict == "write"}
    assert {where for where in written if where[0] in
            set(raised.values_list("endpoint__slug", flat=True))} <= set(planned)  # fmt: skip


@pytest.mark.parametrize("amount", [100, 40])
def test_approving_tells_what_is_booked_and_written(site_today: Site, amount: int) -> None:
    site, dana = site_today, caller(site_today, "dana")
    asked = submit(site)
    read_all(site)
    body = approval(site, asked, granted={str(asked.lines.get().pk): amount})
    found = plan(dana, f"requests/{asked.pk}/approve/", body)
    decision = done(dana, f"requests/{asked.pk}/approve/", body)
    line, booked = found["lines"][0], decision["lines"][0]
    assert {name: line[name] for name in ("granted", "delegation", "offering")} == {
        name: booked[name] for name in ("granted", "delegation", "offering")
    }
    assert (line["id"], line["now"], line["change"]) == (booked["line"], booked["before"], amount)
    assert (line["decided_by"]["name"], line["waits"]) == ("Dana", None)
    request = dana.get(f"requests/{asked.pk}/").json()
    assert (found["state"], line["state"]) == (request["state"], request["lines"][0]["state"])
    assert {each["endpoint"] for each in found["limits"]} == {
        each["endpoint"] for each in request["lines"][0]["deliveries"]
    }
    _assert_written(site, found)


def test_approving_warns_of_what_is_in_use_above_the_new_limit(site_today: Site) -> None:
    site, dana = site_today, caller(site_today, "dana")
    first = submit(site)
    done(dana, f"requests/{first.pk}/approve/", approval(site, first))
    read_all(site, used=90)
    asked = submit(site, {VCPU: 50})
    found = plan(dana, f"requests/{asked.pk}/approve/", approval(site, asked))
    assert [each["code"] for each in found["warnings"]] == ["W01"]
    assert [(each["key"], each["after"], each["verdict"]) for each in found["limits"]] == [
        ("cores", 50, "below")
    ]


@pytest.mark.parametrize(("verb", "state"), [("decline", "declined"), ("return", "returned")])
def test_saying_no_and_asking_back_write_nothing(site_today: Site, verb: str, state: str) -> None:
    dana, asked = caller(site_today, "dana"), submit(site_today)
    body = {"lines": [asked.lines.get().pk], "reason": "Why?", "version": asked.version}
    found = plan(dana, f"requests/{asked.pk}/{verb}/", body)
    assert (found["lines"][0]["state"], found["limits"], found["warnings"]) == (state, [], [])
    done(dana, f"requests/{asked.pk}/{verb}/", body)
    assert RequestLine.objects.get(request=asked).state == state


def test_endorsing_tells_for_whom_it_waits_then(site_today: Site) -> None:
    dana, asked = caller(site_today, "dana"), submit(site_today, {VCPU: 200})
    body = {"endorsed": {str(asked.lines.get().pk): 200}, "version": asked.version}
    found = plan(dana, f"requests/{asked.pk}/endorse/", body)["lines"][0]
    assert (found["state"], found["endorsed"], found["granted"]) == ("open", 200, None)
    done(dana, f"requests/{asked.pk}/endorse/", body)
    waiting = dana.get(f"requests/{asked.pk}/waiting/").json()["lines"][0]
    said = [[{**each, "at": None} for each in waits.pop("endorsements")]
            for waits in (found["waits"], waiting)]  # fmt: skip
    assert route(found["waits"]) == route(waiting)
    assert said[0] == said[1]


def test_a_draft_and_an_amendment_have_plans_too(site_today: Site) -> None:
    alice = caller(site_today, "alice")
    assert plan(alice, "requests/", BOTH | {"draft": True})["state"] == "draft"
    draft = done(alice, "requests/", BOTH | {"draft": True})["id"]
    found = plan(alice, f"requests/{draft}/submit/", {})
    assert {each["state"] for each in found["lines"]} == {"open"}
    version = done(alice, f"requests/{draft}/submit/", {})["version"]
    body = {"lines": {VCPU: 300}, "version": version}
    found = plan(alice, f"requests/{draft}/amend/", body)
    first = next(each for each in found["lines"] if each["offering"] == VCPU)
    assert first["waits"]["decides"][0]["names"][0]["name"] == "Erin"
    done(alice, f"requests/{draft}/amend/", body)
    waiting = alice.get(f"requests/{draft}/waiting/").json()["lines"]
    assert [route(each["waits"]) for each in found["lines"]] == [route(each) for each in waiting]


def refused(site: Site) -> dict[str, tuple[str, str, dict[str, Any], str]]:
    """{name: (who, path, body, code)} of calls that are refused."""
    asked = submit(site)
    approve, body = f"requests/{asked.pk}/approve/", approval(site, asked)
    line, erin = str(asked.lines.get().pk), site.delegations["erin"].pk
    return {
        "not theirs": ("mallory", approve, body, "not_found"),
        "no power": ("bob", approve, body, "forbidden"),
        "asked for already": ("alice", "requests/", WISH, "conflict"),
        "another version": ("dana", approve, body | {"version": 7}, "stale"),
        "another balance": ("dana", approve, body | {"seen": {line: 3}}, "stale"),
        "no version": (
            "dana", approve, {k: v for k, v in body.items() if k != "version"},
            "precondition_required",
        ),
        "too much": ("dana", approve, body | {"granted": {line: 101}}, "invalid"),
        "not held": ("dana", "delegations/", {
            "parent": erin, "unit": "ep", "powers": ["decide quota"], "bounds": [{}],
            "delegate": {"kind": "person", "id": str(site.bob.public_id)},
        }, "forbidden"),
    }  # fmt: skip


def test_what_would_be_refused_is_refused_in_the_same_words(site_today: Site) -> None:
    for name, (who, path, body, code) in refused(site_today).items():
        person, before = caller(site_today, who), everything()
        planned, real = person.post(path + DRY, body), person.post(path, body)
        assert refusal(planned)[1] == code, name
        assert planned.json() == real.json(), name
        assert everything() == before, name


def test_what_is_used_up_is_not_handed_up_by_a_plan(site_today: Site) -> None:
    site, now = site_today, timezone.now()
    bound_of(site, "dana", per_decision=128, total=150)
    other = make_project(site, "atlas-sim", "atlas", now - timedelta(hours=1))
    join(other, site.alice, Role.OWNER, now - timedelta(hours=1))
    first, second = submit(site), submit(site, project=other.slug)
    dana = caller(site, "dana")
    done(dana, f"requests/{first.pk}/approve/", approval(site, first))
    body = approval(site, second, seen={str(second.lines.get().pk): 0})
    path, before = f"requests/{second.pk}/approve/", everything()
    planned = dana.post(path + DRY, body)
    assert everything() == before
    real = dana.post(path, body)
    assert planned.json() | {"detail": ""} == real.json() | {"detail": ""}
    assert planned.json()["detail"].endswith(" Then it would wait for Erin.")
    assert real.json()["detail"].endswith(" Nothing was booked. It waits for Erin now.")
    assert real.json()["facts"]["waits_for"] == ["Erin"]
    assert everything() != before


def test_a_plan_wakes_and_tells_nobody(
    site_today: Site, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    asked, dana = submit(site_today), caller(site_today, "dana")
    body = approval(site_today, asked)
    with django_capture_on_commit_callbacks() as planned:
        plan(dana, f"requests/{asked.pk}/approve/", body)
    with django_capture_on_commit_callbacks() as real:
        done(dana, f"requests/{asked.pk}/approve/", body)
    assert (len(planned), bool(real)) == (0, True)


def test_a_key_is_not_used_up_by_a_plan(site_today: Site) -> None:
    alice = caller(site_today, "alice")
    plan(alice, "requests/", WISH, **{"Idempotency-Key": "k"})
    assert not KeptAnswer.objects.exists()
    answer = send(alice, "requests/", WISH, **{"Idempotency-Key": "k"})
    assert (answer.status_code, "Idempotency-Replayed" in answer.headers) == (201, False)


@pytest.mark.parametrize("path", ["withdraw/?dry_run=true", "approve/?dry_run=yes",
                                  "approve/?dry_run=true&dry_run=false"])  # fmt: skip
def test_nothing_is_done_because_a_plan_of_it_cannot_be_had(site_today: Site, path: str) -> None:
    asked = submit(site_today)
    person = caller(site_today, "alice" if path.startswith("withdraw") else "dana")
    answer = person.post(f"requests/{asked.pk}/{path}", {})
    assert refusal(answer) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == "#/dry_run"
    assert asked.lines.get().state == "open"


def test_without_or_with_false_it_is_done(site_today: Site) -> None:
    answer = caller(site_today, "alice").post("requests/?dry_run=false", WISH)
    assert answer.status_code == 201
    assert QuotaRequest.objects.count() == 1


def test_a_plan_takes_the_scope_of_the_call(site_today: Site) -> None:
    _token, narrow = token_for(site_today.alice, TokenScope.READ)
    answer = calling(narrow).post(f"{ROOT}requests/{DRY}", WISH, "application/json")
    assert refusal(answer) == (403, "forbidden")
    _token, wide = token_for(site_today.alice, TokenScope.ASK)
    answer = calling(wide).post(f"{ROOT}requests/{DRY}", WISH, "application/json")
    assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
    assert not Delegation.objects.filter(created_at__gt=timezone.now()).exists()
