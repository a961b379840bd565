"""Many requests decided at once: one result each, by what was seen and who may then."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from portal.lib.errors import Forbidden, Invalid
from projects.models import Delegation, User
from quotas.actions import decide, requests
from quotas.actions.bulk import decide_many
from quotas.actions.shown import Shown
from quotas.actions.wishes import Wish
from quotas.delivery import jobs
from quotas.models import Account, DecisionKind, DelegationBound, Job, QuotaRequest
from quotas.states import AssignmentKind, ItemState, LineState
from quotas.tests.api import caller, refusal
from quotas.tests.pages.deciding import ask_for_many, page, signed_in, text
from quotas.tests.site import Site


def seen_of(asked: QuotaRequest) -> Shown:
    """A request as its reader sees it now."""
    asked.refresh_from_db()
    held = dict(Account.objects.filter(project=asked.project_id).values_list("offering", "balance"))
    return Shown(
        asked.pk,
        asked.version,
        {each.pk: held.get(each.offering_id, 0) for each in asked.lines.all()},
    )


def of_atlas() -> list[QuotaRequest]:
    return list(QuotaRequest.objects.filter(project__unit__slug="atlas").order_by("pk"))


def do(site: Site, kind: DecisionKind, shown: list[Shown], reason: str = "") -> Job:
    """Dana starts it; a worker does all of it."""
    job = decide_many(kind=kind, shown=shown, reason=reason, actor=site.dana, now=timezone.now())
    while jobs.run(job.pk):
        pass
    return job


def outcomes(job: Job) -> list[tuple[int, str]]:
    return list(job.items.order_by("subject_id").values_list("subject_id", "state"))


def states(asked: QuotaRequest) -> set[str]:
    return set(asked.lines.values_list("state", flat=True))


def test_many_are_approved_as_asked_with_a_result_each(site_today: Site) -> None:
    ask_for_many(site_today, 6)
    asked = of_atlas()
    job = do(site_today, DecisionKind.APPROVE, [seen_of(each) for each in asked], "Wave 4")
    assert outcomes(job) == [(each.pk, ItemState.DONE) for each in asked]
    assert {state for each in asked for state in states(each)} == {LineState.GRANTED}
    assert set(asked[0].decisions.values_list("kind", "reason")) == {("approve", "Wave 4")}


@pytest.mark.parametrize(
    ("kind", "state"),
    [(DecisionKind.DECLINE, LineState.DECLINED), (DecisionKind.RETURN, LineState.RETURNED)],
)
def test_many_are_refused_with_one_reason(
    site_today: Site, kind: DecisionKind, state: LineState
) -> None:
    ask_for_many(site_today, 4)
    asked = of_atlas()
    with pytest.raises(Invalid) as refused:
        do(site_today, kind, [seen_of(each) for each in asked])
    assert list(refused.value.errors) == ["reason"]
    do(site_today, kind, [seen_of(each) for each in asked], "For which run?")
    assert {each for one in asked for each in states(one)} == {state}


def test_what_has_changed_since_is_refused_and_not_decided(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 4)
    first, second = of_atlas()
    shown = [seen_of(first), seen_of(second)]
    line = first.lines.get(offering=site.vcpu)
    requests.amend(
        quota_request=first, wanted={line.pk: 900}, reason="more", version=first.version,
        actor=site.alice, now=timezone.now(),
    )  # fmt: skip
    job = do(site, DecisionKind.APPROVE, shown)
    assert outcomes(job) == [(first.pk, ItemState.REFUSED), (second.pk, ItemState.DONE)]
    assert "has changed" in job.items.get(subject_id=first.pk).words
    assert states(first) == {LineState.OPEN}


def test_a_balance_that_moved_since_is_refused(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 2)
    (asked,) = of_atlas()
    shown = seen_of(asked)
    told = Shown(shown.number, shown.version, {line: seen + 1 for line, seen in shown.seen.items()})
    job = do(site, DecisionKind.APPROVE, [told])
    assert outcomes(job) == [(asked.pk, ItemState.REFUSED)]
    assert states(asked) == {LineState.OPEN}


def test_authority_is_asked_when_the_turn_of_each_comes(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 4)
    asked = of_atlas()
    job = decide_many(
        kind=DecisionKind.APPROVE, shown=[seen_of(each) for each in asked], reason="",
        actor=site.dana, now=timezone.now(),
    )  # fmt: skip
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(revoked_at=timezone.now())
    while jobs.run(job.pk):
        pass
    assert {state for _number, state in outcomes(job)} == {ItemState.REFUSED}
    assert {state for each in asked for state in states(each)} == {LineState.OPEN}


def test_beyond_a_bound_one_is_refused_and_the_others_are_done(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 2)
    dear = requests.submit(
        project=site.project, wish=Wish({site.vcpu.slug: 129}, "big"), actor=site.alice,
        now=timezone.now(),
    )  # fmt: skip
    (small,) = of_atlas()[:1]
    job = do(site, DecisionKind.APPROVE, [seen_of(small), seen_of(dear)])
    assert outcomes(job) == [(small.pk, ItemState.DONE), (dear.pk, ItemState.REFUSED)]


def test_when_a_total_runs_out_in_the_middle_the_rest_goes_up(site_today: Site) -> None:
    site = site_today
    bounds = DelegationBound.objects.filter(delegation=site.delegations["dana"])
    bounds.filter(resource=site.vcpu.resource).update(total=15)
    ask_for_many(site, 4)
    first, second = of_atlas()
    job = do(site, DecisionKind.APPROVE, [seen_of(first), seen_of(second)])
    assert outcomes(job) == [(first.pk, ItemState.DONE), (second.pk, ItemState.REFUSED)]
    assert job.items.get(subject_id=second.pk).words.count("Nothing was booked") == 1
    line = second.lines.get(offering=site.vcpu)
    deciding = line.assignments.filter(kind=AssignmentKind.DECIDE, ends_at__isnull=True)
    assert list(deciding.values_list("user__subject", flat=True)) == ["erin"]


def test_who_decides_nowhere_starts_nothing(site_today: Site) -> None:
    ask_for_many(site_today, 2)
    with pytest.raises(Forbidden):
        decide_many(
            kind=DecisionKind.APPROVE, shown=[seen_of(each) for each in of_atlas()], reason="",
            actor=site_today.alice, now=timezone.now(),
        )  # fmt: skip
    assert not Job.objects.exists()


def test_what_a_person_may_not_see_never_comes_into_a_job(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 4)
    of_it = QuotaRequest.objects.filter(project__unit__slug="ep").earliest("pk")
    job = do(site, DecisionKind.APPROVE, [*map(seen_of, of_atlas()), seen_of(of_it)])
    assert of_it.pk not in dict(outcomes(job))


@pytest.mark.parametrize("text", ["", "x", "1", "1.2.3", "1.2.3-", "1.-2", "²", "1.2.3-4-5"])
def test_what_our_page_did_not_write_is_no_choice(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is refused, whatever it says
        Shown.read(text)


def test_the_page_shows_what_is_chosen_before_it_happens(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 4)
    first, second = of_atlas()
    dana = signed_in(site, "dana")
    boxes = {"request": [seen_of(first).text(), seen_of(second).text()], "do": "decline"}
    stale: dict[str, Any] = boxes | {"request": [Shown(first.pk, 99, {}).text()]}
    assert "Decline 2 requests?" in text(dana.post(reverse("queue_bulk"), boxes))
    assert "changed since you chose it" in text(dana.post(reverse("queue_bulk"), stale))
    assert not Job.objects.exists()
    without = dana.post(reverse("queue_bulk"), boxes | {"confirmed": "yes"})
    assert "reason-error" in text(without, 422)
    answer = dana.post(reverse("queue_bulk"), boxes | {"confirmed": "yes", "reason": "Use yours"})
    job = Job.objects.get()
    assert answer["Location"] == reverse("job_detail", args=[job.pk])
    while jobs.run(job.pk):
        pass
    assert f"#{first.pk}" in text(page(site, "dana", reverse("job_detail", args=[job.pk])))
    assert states(first) == {LineState.DECLINED}


def test_the_api_starts_the_same_job(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 4)
    asked = of_atlas()
    body = {
        "verb": "approve",
        "requests": [
            {"id": each.number, "version": each.version,
             "seen": {str(line): seen for line, seen in each.seen.items()}}
            for each in map(seen_of, asked)
        ],
    }  # fmt: skip
    assert refusal(caller(site, "alice").post("queue/decide/", body)) == (403, "forbidden")
    wrong = caller(site, "dana").post("queue/decide/", body | {"verb": "decline"})
    assert refusal(wrong) == (422, "invalid")
    answer = caller(site, "dana").post("queue/decide/", body)
    assert answer.status_code == 202
    while jobs.run(answer.json()["id"]):
        pass
    assert {state for each in asked for state in states(each)} == {LineState.GRANTED}


def test_deciding_here_leads_back_to_the_queue_as_it_was(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 4)
    (asked, _other) = of_atlas()
    shown = seen_of(asked)
    fields = {
        "version": shown.version, "line": list(shown.seen), "do": "asked", "then": "queue",
        **{f"seen-{line}": seen for line, seen in shown.seen.items()},
    }  # fmt: skip
    url = reverse("request_approve", args=[asked.pk]) + "?order=project"
    answer = signed_in(site, "dana").post(url, fields)
    assert answer["Location"] == reverse("queue") + "?order=project"
    assert states(asked) == {LineState.GRANTED}


def test_a_line_that_was_decided_meanwhile_is_refused(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 2)
    (asked,) = of_atlas()
    shown = seen_of(asked)
    decide.decline(
        quota_request=asked, line_ids=[min(shown.seen)], reason="No", version=shown.version,
        actor=site.erin, now=timezone.now(),
    )  # fmt: skip
    job = do(site, DecisionKind.APPROVE, [shown])
    assert outcomes(job) == [(asked.pk, ItemState.REFUSED)]


def test_a_job_of_somebody_whose_account_is_closed_meanwhile_decides_nothing(
    site_today: Site,
) -> None:
    ask_for_many(site_today, 2)
    asked = of_atlas()
    shown = [seen_of(each) for each in asked]
    job = decide_many(
        kind=DecisionKind.APPROVE, shown=shown, reason="", actor=site_today.dana,
        now=timezone.now(),
    )  # fmt: skip
    User.objects.filter(pk=site_today.dana.pk).update(is_active=False)
    while jobs.run(job.pk):
        pass
    assert outcomes(job) == [(each.pk, ItemState.REFUSED) for each in asked]
    assert {state for each in asked for state in states(each)} == {LineState.OPEN}
