"""A service account acts in its place and nowhere else, whatever its owner may do elsewhere.

Erin decides, funds and hands on in EP, owns a project in IT and has work of her own there. Her
service account lies in ATLAS, below EP. Alice owns two projects; her account lies in one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from projects.actions import service_accounts
from projects.actions.units import make_unit
from projects.models import ApiToken, Delegation, Event, Membership, Notice, Project, User
from projects.outgoing.notices import tell
from projects.states import NoticeKind, Power, Role, TokenScope
from quotas.actions import drafts, policies, requests
from quotas.actions.delegations import Bound, delegate
from quotas.actions.jobs import start_job
from quotas.actions.wishes import Wish
from quotas.delivery import jobs
from quotas.models import Decision, DelegationBound, Job, Policy, QuotaRequest, Target
from quotas.tests.site import Site, join, make_project
from quotas.tests.test_tokens import calling, token_for

ROOT = "/api/v1/"


@dataclass
class Stage:
    """What lies in the place, and what of the owner's lies outside of it."""

    site: Site
    bot: Client
    robot: Client
    here: QuotaRequest
    there: QuotaRequest
    own: QuotaRequest
    draft: QuotaRequest
    lab: Project
    tools: Project
    rule: Policy
    handed: Delegation
    job: Job


@pytest.fixture
def stage(site_today: Site) -> Stage:
    site, now = site_today, timezone.now()
    before = now - timedelta(hours=2)
    lab = make_project(site, "ep-lab", "ep", before)
    tools = make_project(site, "it-tools", "it", before)
    lena = User.objects.create(subject="lena", name="Lena", password="!")
    join(lab, lena, Role.OWNER, before)
    for person in (site.erin, site.alice):
        join(tools, person, Role.OWNER, before)
    repairs = Delegation.objects.create(
        user=site.erin, powers=[Power.PAUSE_ENDPOINT, Power.RETRY_DELIVERIES],
        unit=site.units["org"], starts_at=before, created_at=before,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=repairs)
    make_unit(slug="cms", name="CMS", parent=site.units["ep"], now=before)
    vcpu = site.vcpu.slug
    bot = service_accounts.make(place=site.units["atlas"], name="bot", actor=site.erin, now=now)
    robot = service_accounts.make(place=site.project, name="robot", actor=site.alice, now=now)
    handed = delegate(
        parent=site.delegations["erin"], grantor=site.erin, unit=site.units["ep"], user=lena,
        powers=[Power.DECIDE_QUOTA], starts_at=now, ends_at=None, depth=0,
        bounds=[Bound(resource=site.vcpu.resource, per_decision=1)], now=now,
    )  # fmt: skip
    rule = policies.make(
        unit=site.units["ep"], name="Small", actor=site.erin, now=now,
        terms=policies.Terms(resource=site.vcpu.resource, most_amount=8),
    )  # fmt: skip
    own = requests.submit(wish=Wish({vcpu: 9}, "mine"), project=tools, actor=site.erin, now=now)
    tell(Event.objects.latest("pk"), [site.alice.pk], NoticeKind.ASKED)
    tell(Event.objects.latest("pk"), [site.otto.pk], NoticeKind.ASKED)
    return Stage(
        site=site,
        bot=calling(token_for(None, account=bot)[1]),
        robot=calling(token_for(None, account=robot)[1]),
        here=requests.submit(
            wish=Wish({vcpu: 200}, "here"), project=site.project, actor=site.alice, now=now
        ),
        there=requests.submit(wish=Wish({vcpu: 20}, "there"), project=lab, actor=lena, now=now),
        own=own,
        draft=drafts.save(wish=Wish({vcpu: 3}, "x"), project=tools, actor=site.alice, now=now),
        lab=lab,
        tools=tools,
        rule=rule,
        handed=handed,
        job=start_job(
            kind="retry", subjects=[Target.objects.earliest("pk").pk], actor=site.erin, now=now
        ),
    )


def get(client: Client, path: str) -> tuple[int, Any]:
    answer = client.get(ROOT + path)
    return answer.status_code, answer.json()


def send(client: Client, path: str, body: dict[str, Any], method: str = "POST") -> int:
    answer = client.generic(method, ROOT + path, json.dumps(body), "application/json")
    return answer.status_code


def slugs(client: Client, path: str, name: str = "slug") -> list[Any]:
    status, body = get(client, path)
    assert status == 200, (path, body)
    return [each[name] for each in body["results"]]


def approval(asked: QuotaRequest) -> dict[str, Any]:
    line = asked.lines.get()
    return {
        "granted": {str(line.pk): line.wanted},
        "seen": {str(line.pk): 0},
        "version": asked.version,
    }


# What a person in the owner's place would read, and the service account does not: (path, status).
READ_OUTSIDE: list[tuple[str, Callable[[Stage], str], int]] = [
    ("a project that the owner owns", lambda s: "projects/it-tools/", 404),
    ("its members", lambda s: "projects/it-tools/members/", 404),
    ("its accounts", lambda s: "projects/it-tools/accounts/", 404),
    ("its transfers", lambda s: "projects/it-tools/transfers/", 404),
    ("a project that the owner decides for", lambda s: "projects/ep-lab/", 404),
    ("why it has no more", lambda s: f"projects/ep-lab/explain/?offering={s.site.vcpu.slug}", 404),
    ("the owner's own request", lambda s: f"requests/{s.own.pk}/", 404),
    ("a request that waits for the owner", lambda s: f"requests/{s.there.pk}/", 404),
    ("why it waits", lambda s: f"requests/{s.there.pk}/waiting/", 404),
    ("what was said of it", lambda s: f"requests/{s.there.pk}/comments/", 404),
    ("a delegation that the owner holds", lambda s: f"delegations/{_held(s)}/", 404),
    ("one that the owner gave", lambda s: f"delegations/{s.handed.pk}/", 404),
    ("what hangs from it", lambda s: f"delegations/{s.handed.pk}/hanging/", 404),
    ("work that the owner began", lambda s: f"jobs/{s.job.pk}/", 404),
    ("its items", lambda s: f"jobs/{s.job.pk}/items/", 404),
    ("envelopes above", lambda s: f"units/ep/envelopes/{s.site.vcpu.slug}/", 403),
    ("who funded them", lambda s: "units/ep/acts/", 403),
    ("what a rule above would have done", lambda s: f"policies/{s.rule.pk}/replay/", 403),
    ("a service of the site", lambda s: "endpoints/nova-geneva/", 403),
]  # fmt: skip


def _held(stage: Stage) -> int:
    return stage.site.delegations["erin"].pk


def test_outside_its_place_it_reads_nothing(stage: Stage) -> None:
    for client in (stage.bot, stage.robot):
        for name, path, status in READ_OUTSIDE:
            assert (name, get(client, path(stage))[0]) == (name, status)


def test_its_lists_hold_what_lies_in_its_place(stage: Stage) -> None:
    for client in (stage.bot, stage.robot):
        assert slugs(client, "projects/") == ["atlas-reco"]
        assert slugs(client, "requests/", "id") == [stage.here.pk]
        assert slugs(client, "jobs/", "id") == []
        assert slugs(client, "notices/", "id") == []
        assert slugs(client, "decisions/", "id") == []
        assert {each["project"] for each in get(client, "events/")[1]["results"]} <= {
            "atlas-reco", None,
        }  # fmt: skip
    assert slugs(stage.bot, "queue/", "id") == [stage.here.pk]
    assert slugs(stage.robot, "queue/", "id") == []
    held = {each.pk for each in Delegation.objects.filter(unit__slug="atlas")}
    assert set(slugs(stage.bot, "delegations/", "id")) == held
    assert slugs(stage.robot, "delegations/", "id") == []
    assert slugs(stage.bot, "service-accounts/", "name") == ["bot", "robot"]
    assert slugs(stage.robot, "service-accounts/", "name") == ["robot"]


def test_what_it_is_told_about_itself_is_clipped(stage: Stage) -> None:
    bot, robot = get(stage.bot, "me/")[1], get(stage.robot, "me/")[1]
    assert (bot["subject"], bot["decides_for"]) == ("erin", ["org/ep/atlas/"])
    assert (robot["subject"], robot["decides_for"]) == ("alice", [])
    User.objects.filter(subject__in=("erin", "alice")).update(is_operator=True)
    for client in (stage.bot, stage.robot):
        assert get(client, "me/")[1]["is_operator"] is False
        assert slugs(client, "projects/") == ["atlas-reco"]


def acts_outside(stage: Stage) -> list[tuple[str, str, str, dict[str, Any], int]]:
    """(what, method, path, body, what the service account gets) of acts of Erin's elsewhere."""
    site, vcpu = stage.site, stage.site.vcpu.slug
    lena = User.objects.get(subject="lena")
    to_lena = {"kind": "person", "id": str(lena.public_id)}
    funded = {
        "changes": {vcpu: 5},
        "seen": {vcpu: {"left": site.envelope(site.vcpu), "promised": 0, "source": "ep",
                        "source_left": site.envelope(site.vcpu, "ep")}},
    }  # fmt: skip
    hand_on = {
        "parent": _held(stage), "unit": "ep", "powers": ["decide quota"], "delegate": to_lena,
        "bounds": [{"resource": "vcpu", "per_decision": 2}],
    }  # fmt: skip
    wish = {"project": "it-tools", "lines": {vcpu: 5}}
    terms = {"resource": "vcpu", "most_amount": 4}
    return [
        ("ask", "POST", "requests/", wish | {"reason": "x"}, 404),
        ("see what asking would do", "POST", "preview/", wish, 404),
        ("withdraw", "POST", f"requests/{stage.own.pk}/withdraw/", {}, 404),
        ("comment", "POST", f"requests/{stage.own.pk}/comment/", {"text": "x"}, 404),
        ("watch", "POST", f"requests/{stage.own.pk}/watch/", {}, 404),
        ("approve", "POST", f"requests/{stage.there.pk}/approve/", approval(stage.there), 404),
        ("hand on", "POST", "delegations/", hand_on, 422),
        ("preview", "POST", "delegations/preview/", hand_on, 422),
        ("name a deputy", "POST", "delegations/deputies/",
         {"person": str(lena.public_id), "ends_at": "2099-01-01T00:00:00Z"}, 409),
        ("revoke", "POST", f"delegations/{stage.handed.pk}/revoke/", {"seen": "x"}, 404),
        ("fund from above", "POST", "units/atlas/envelopes/change/", funded, 403),
        ("fund elsewhere", "POST", "units/ep/envelopes/change/", funded, 403),
        ("move", "POST", "units/atlas/move/", {"parent": "cms", "seen": "x"}, 403),
        ("retire", "POST", "units/atlas/retire/", {"seen": "x"}, 403),
        ("write a rule", "POST", "policies/", {"unit": "ep", "name": "x", "terms": terms}, 403),
        ("revise a rule", "POST", f"policies/{stage.rule.pk}/revise/",
         {"name": "x", "terms": terms, "version": 1}, 403),
        ("let it grant", "POST", f"policies/{stage.rule.pk}/switch-on/", {"version": 1}, 403),
        ("pause", "POST", "endpoints/nova-geneva/pause/", {"reason": "x"}, 403),
        ("set how long one waits", "PUT", "units/ep/waiting/",
         {"remind_after_days": 1, "escalate_after_days": 3}, 403),
    ]  # fmt: skip


def test_outside_its_place_it_does_nothing(stage: Stage) -> None:
    before = (Event.objects.count(), Delegation.objects.count(), Decision.objects.count())
    for name, method, path, body, status in acts_outside(stage):
        assert (name, send(stage.bot, path, body, method)) == (name, status)
    assert before == (Event.objects.count(), Delegation.objects.count(), Decision.objects.count())


def test_the_owner_by_a_token_of_their_own_gets_something_else(stage: Stage) -> None:
    """Or the table above would prove nothing."""
    _token, text = token_for(stage.site.erin)
    for name, method, path, body, status in acts_outside(stage):
        with transaction.atomic():
            assert (name, send(calling(text), path, body, method)) != (name, status)
            transaction.set_rollback(True)


def test_a_projects_account_does_nothing_elsewhere_and_decides_nowhere(stage: Stage) -> None:
    vcpu = stage.site.vcpu.slug
    for project, status in (("atlas-reco", 201), ("it-tools", 404)):
        body = {"project": project, "lines": {stage.site.space.slug: 2**30}, "reason": "x"}
        assert (project, send(stage.robot, "requests/", body)) == (project, status)
    assert send(stage.robot, f"requests/{stage.draft.pk}/", {}, "DELETE") == 404
    assert send(stage.robot, f"requests/{stage.draft.pk}/submit/", {}) == 404
    body = {"kind": "person", "id": str(stage.site.dana.public_id)}
    assert send(stage.robot, "delegations/", {
        "parent": _held(stage), "unit": "atlas", "powers": ["decide quota"], "delegate": body,
        "bounds": [{"resource": "vcpu", "per_decision": 1}],
    }) == 403  # fmt: skip
    assert vcpu


def test_in_its_place_it_decides_as_its_owner(stage: Stage) -> None:
    assert send(stage.bot, f"requests/{stage.here.pk}/approve/", approval(stage.here)) == 200
    decision = Decision.objects.get()
    assert decision.person == stage.site.erin
    event = Event.objects.get(verb="approved")
    assert event.token is not None
    assert event.token.service_account is not None
    assert event.token.service_account.name == "bot"


def test_the_owner_counts_where_duties_are_separate(stage: Stage) -> None:
    """With a role in the project the owner must not decide for it, nor does their program."""
    join(stage.site.project, stage.site.erin, Role.MEMBER, timezone.now() - timedelta(minutes=1))
    assert send(stage.bot, f"requests/{stage.here.pk}/approve/", approval(stage.here)) == 403
    assert not Decision.objects.exists()


@pytest.mark.parametrize("how", ["revoked", "role", "inactive"])
def test_what_the_owner_lost_is_lost_at_once(stage: Stage, how: str) -> None:
    now = timezone.now()
    if how == "revoked":
        Delegation.objects.filter(user__subject="erin").update(revoked_at=now)
        assert send(stage.bot, f"requests/{stage.here.pk}/approve/", approval(stage.here)) == 404
        assert slugs(stage.bot, "queue/", "id") == []
    elif how == "role":
        Membership.objects.filter(user__subject="alice").update(ends_at=now)
        assert slugs(stage.robot, "projects/") == []
        assert get(stage.robot, "projects/atlas-reco/")[0] == 404
    else:
        User.objects.filter(subject__in=("erin", "alice")).update(is_active=False)
        assert get(stage.bot, "me/")[0] == get(stage.robot, "me/")[0] == 401


def test_its_owners_notices_are_not_its_business(stage: Stage) -> None:
    assert Notice.objects.filter(person=stage.site.alice).exists()
    token, text = token_for(None, TokenScope.LISTEN, account=_account("robot"))
    newest = Notice.objects.latest("pk").pk
    answer = calling(text).post(ROOT + "notices/read/", {"newest": newest}, "application/json")
    assert (answer.status_code, answer.json()) == (200, {"count": 0})
    assert not Notice.objects.filter(person=stage.site.alice, read_at__isnull=False).exists()
    assert token.service_account is not None


def _account(name: str) -> Any:
    return ApiToken.objects.get(service_account__name=name).service_account


def test_long_work_stays_within_what_its_token_may_do(stage: Stage) -> None:
    """The job goes on after the call: then too it acts in its place, and only with a live token."""
    actor = User.objects.get(subject="erin")
    actor.token = ApiToken.objects.select_related("service_account__unit").get(
        service_account__name="bot"
    )
    now = timezone.now()
    arguments = {
        "reason": "", "shown": {
            str(each.pk): {"version": each.version, "seen": {str(each.lines.get().pk): 0}}
            for each in (stage.here, stage.there)
        },
    }  # fmt: skip
    subjects = [stage.here.pk, stage.there.pk]
    job = start_job(
        kind="approve many", subjects=subjects, arguments=arguments, actor=actor, now=now
    )
    while jobs.run(job.pk):
        pass
    assert [each.state for each in job.items.order_by("pk")] == ["done", "refused"]
    assert Decision.objects.get().request == stage.here
    assert Event.objects.get(verb="approved").token == actor.token


def test_work_of_a_token_that_was_revoked_stops(stage: Stage) -> None:
    actor = User.objects.get(subject="erin")
    actor.token = ApiToken.objects.get(service_account__name="bot")
    job = start_job(kind="retry", subjects=[1], actor=actor, now=timezone.now())
    ApiToken.objects.filter(pk=actor.token.pk).update(revoked_at=timezone.now())
    jobs.run(job.pk)
    assert "token" in job.items.get().words
