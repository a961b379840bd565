"""The site that every URL is tried on: something in every state that a URL may be about."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from projects.actions import service_accounts, tokens, webhooks
from projects.actions.units import make_unit
from projects.models import ApiToken, Delegation, ServiceAccount, User, Webhook
from projects.queries.viewers import Viewer
from projects.states import Power, Role
from quotas.actions import decide, drafts, policies, requests
from quotas.actions.delegations import Bound, delegate
from quotas.actions.jobs import start_job
from quotas.actions.keys import leave_out
from quotas.actions.wishes import Wish
from quotas.models import (
    DelegationBound,
    Drift,
    Endpoint,
    Job,
    Limit,
    Policy,
    Preset,
    PresetLine,
    QuotaRequest,
    Target,
)
from quotas.states import EndpointState, TargetState
from quotas.tests.drifting import make_drift
from quotas.tests.site import GIB, Site, join
from quotas.tests.test_project_adoption import name_taken, project_gone


@dataclass
class Case:
    """The site with something in every state that a URL may be about."""

    site: Site
    people: dict[str, User]
    open: QuotaRequest
    returned: QuotaRequest
    draft: QuotaRequest
    refused: Target
    taken: Target
    gone: Target
    drift: Drift
    job: Job
    left_out: Limit
    # By Dana, who decides, to somebody who is nobody else here.
    handed: Delegation
    # Alice's own, a program of the project that is hers, and one whose owner has left it.
    token: ApiToken
    program: ServiceAccount
    left: ServiceAccount
    # Alice's, of the project.
    webhook: Webhook
    # Of the project too, and of somebody who has left it.
    left_webhook: Webhook
    draft_rule: Policy
    rule: Policy

    def line(self, asked: QuotaRequest) -> int:
        return asked.lines.get().pk

    def version(self, asked: QuotaRequest) -> int:
        asked.refresh_from_db()
        return asked.version


def make_case(site: Site) -> Case:
    """On a site that began before now."""
    now = timezone.now()
    people = {
        "stranger": site.mallory, "reader": site.rita, "member": site.bob, "owner": site.alice,
        "decider": site.dana, "auditor": site.audrey,
        "manager": User.objects.create(subject="mona", name="Mona", password="!"),
        # Otto holds the root delegation, so he decides; this one only operates.
        "operator": User.objects.create(
            subject="olga", name="Olga", is_operator=True, password="!"
        ),
        "repairer": User.objects.create(subject="rosa", name="Rosa", password="!"),
    }  # fmt: skip
    for name in ("otto", "erin", "dana"):
        held = site.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    join(site.project, people["manager"], Role.MANAGER, now - timedelta(hours=1))
    repairs = Delegation.objects.create(
        user=people["repairer"], powers=[Power.PAUSE_ENDPOINT, Power.RETRY_DELIVERIES],
        unit=site.units["org"], starts_at=now - timedelta(days=1), created_at=now,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=repairs)
    common: dict[str, Any] = {"project": site.project, "actor": site.alice, "now": now}
    ram = site.offerings["geneva.compute-a.ram"]
    handed = delegate(
        parent=site.delegations["dana"], grantor=site.dana, unit=site.units["atlas"],
        user=User.objects.create(subject="hanna", name="Hanna", password="!"),
        powers=[Power.DECIDE_QUOTA], starts_at=now, ends_at=None, depth=0,
        bounds=[Bound(resource=site.vcpu.resource, per_decision=1)], now=now,
    )  # fmt: skip
    returned = requests.submit(wish=Wish({ram.slug: 5 * GIB}, "tests"), **common)
    decide.return_(
        quota_request=returned, line_ids=[returned.lines.get().pk], question="Why?",
        version=returned.version, actor=site.dana, now=now,
    )  # fmt: skip
    preset = Preset.objects.create(slug="small", name="Small", region=site.vcpu.zone.region)
    PresetLine.objects.create(preset=preset, offering=site.vcpu, increase=1)
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    Target.objects.filter(pk=target.pk).update(
        state=TargetState.REFUSED, error_code="unexpected", error_words="302", error_id="AB12CD"
    )
    for name in ("trigger", "daq"):
        make_unit(slug=name, name=name, parent=site.units["atlas"], now=now - timedelta(days=1))
    left_out = Limit.objects.get(key="gigabytes")
    leave_out(limit=left_out, reason="tests", actor=people["operator"], now=now)
    Endpoint.objects.filter(slug="cinder-geneva").update(state=EndpointState.PAUSED)
    taken = name_taken(site)
    gone = project_gone(site)
    return Case(
        site=site,
        people=people,
        open=requests.submit(wish=Wish({site.vcpu.slug: 10}, "tests"), **common),
        returned=returned,
        draft=drafts.save(wish=Wish({site.space.slug: 5 * GIB}, "tests"), **common),
        refused=target,
        taken=taken,
        gone=gone,
        job=start_job(kind="retry", subjects=[target.pk], actor=people["operator"], now=now),
        left_out=left_out,
        handed=handed,
        token=tokens.make(name="ci", scopes=["read"], actor=site.alice, now=now)[0],
        program=service_accounts.make(place=site.project, name="ci", actor=site.alice, now=now),
        left=ServiceAccount.objects.create(
            project=site.project, name="old", owner=site.erin, created_by=site.erin, created_at=now
        ),
        webhook=webhooks.make(
            terms=webhooks.Terms("CI", "https://ci.example.org/"),
            project=site.project,
            viewer=Viewer.of(site.alice, now),
        )[0],
        left_webhook=Webhook.objects.create(
            project=site.project,
            name="old",
            url="https://old.example.org/",
            owner=site.erin,
            secret=b"",
            after_xid=0,
            after_id=0,
            created_at=now,
        ),
        draft_rule=a_rule(site),
        rule=policies.switch_on(policy=a_rule(site), version=1, actor=site.dana, now=now),
        drift=make_drift(site, "gigabytes_storage-a", wanted=0, seen=10 * GIB),
    )


def a_rule(site: Site) -> Policy:
    """A draft on Dana's delegation that holds for nothing that is asked for here."""
    return policies.make(
        unit=site.units["atlas"], name="Small steps", actor=site.dana, now=timezone.now(),
        terms=policies.Terms(resource=site.vcpu.resource, most_percent=1),
    )  # fmt: skip
