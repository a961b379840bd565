"""Who gets what from every URL: generated from the URLs themselves and the table of access.

A URL without a row fails, one without a sample here fails, and so does every status that
is not the table's. Redirects count as what they mean: to the sign-in page 401, after an
act 200.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from portal.lib.access import HIDDEN, NO, OK, ROLES, ROWS, SIGN_IN
from projects.actions.units import make_unit
from projects.models import Delegation, Unit, User
from projects.states import Power, Role
from quotas.actions import decide, drafts, policies, requests
from quotas.actions.bulk import Shown
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
from quotas.queries.hanging import seen_of
from quotas.queries.unit_changes import move_of, retirement_of
from quotas.states import EndpointState, TargetState
from quotas.tests.drifting import make_drift
from quotas.tests.site import GIB, Site, join
from quotas.tests.test_project_adoption import STRANGER, name_taken, project_gone

JSON = "application/json"


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
    draft_rule: Policy
    rule: Policy

    def line(self, asked: QuotaRequest) -> int:
        return asked.lines.get().pk

    def version(self, asked: QuotaRequest) -> int:
        asked.refresh_from_db()
        return asked.version


@pytest.fixture
def case(site_today: Site) -> Case:
    site, now = site_today, timezone.now()
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


def of_rule(which: str) -> "Build":
    return lambda case: {"pk": getattr(case, which).pk}


def rule_form(case: Case) -> dict[str, Any]:
    return {
        "unit": "atlas", "name": "Steps", "direction": "increase", "resource": "vcpu",
        "most_amount": "8", "do": "save", "version": "1",
    }  # fmt: skip


def api_rule(case: Case) -> dict[str, Any]:
    return {"name": "Steps", "terms": {"resource": "vcpu", "most_amount": 8}}


Build = Callable[[Case], dict[str, Any]]


def nothing(case: Case) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Sample:
    """One call of a URL: its arguments, its method, what is sent, and, where the method
    has a row of its own, that row."""

    kwargs: Build = nothing
    method: str = "GET"
    data: Build = nothing
    row: str = ""
    # What it sends in the address.
    query: str = field(default="")


def get(kwargs: Build = nothing, query: str = "") -> Sample:
    return Sample(kwargs, query=query)


def post(kwargs: Build = nothing, data: Build = nothing, row: str = "") -> Sample:
    return Sample(kwargs, "POST", data, row)


def slug(text: str, name: str = "slug") -> Build:
    return lambda case: {name: text}


def number(which: str, name: str = "number") -> Build:
    return lambda case: {name: getattr(case, which).pk}


def endorsable(name: str) -> Build:
    """The open request, once it asks for more than the decider may grant."""

    def build(case: Case) -> dict[str, Any]:
        case.open.lines.update(wanted=200)
        return {name: case.open.pk}

    return build


def nudgeable(name: str) -> Build:
    """The open request, once it has waited for long."""

    def build(case: Case) -> dict[str, Any]:
        case.open.lines.update(waits_since=timezone.now() - timedelta(days=30))
        return {name: case.open.pk}

    return build


def api_endorse(case: Case) -> dict[str, Any]:
    return {"endorsed": {str(case.line(case.open)): 150}, "version": case.version(case.open)}


def waiting_days(case: Case) -> dict[str, Any]:
    return {"remind_after_days": 1, "escalate_after_days": 3}


def pk(which: str) -> Build:
    return number(which, "pk")


def decided(**more: str) -> Build:
    """The form of the decision page for the open request."""

    def build(case: Case) -> dict[str, Any]:
        line = case.line(case.open)
        return {
            "version": case.version(case.open), "line": line, f"seen-{line}": 0,
            f"grant-{line}": "10", "do": "asked",
        } | more  # fmt: skip

    return build


def wish(case: Case) -> dict[str, Any]:
    """A new request, by form: half of what stands in the draft."""
    offering = case.site.space.slug
    return {
        "project": "atlas-reco", "region": "geneva", f"amount-{offering}": "3G",
        "reason": "tests", "until": "stays", "do": "send",
    }  # fmt: skip


def api_wish(case: Case) -> dict[str, Any]:
    return {"lines": {case.site.space.slug: 3 * GIB}, "reason": "tests"}


def api_refuse(case: Case) -> dict[str, Any]:
    return {
        "lines": [case.line(case.open)], "reason": "no", "version": case.version(case.open)
    }  # fmt: skip


def api_approve(case: Case) -> dict[str, Any]:
    line = str(case.line(case.open))
    return {"granted": {line: 10}, "seen": {line: 0}, "version": case.version(case.open)}


def many(case: Case) -> dict[str, Any]:
    """The open request, chosen in the queue."""
    shown = Shown(case.open.pk, case.version(case.open), {case.line(case.open): 0})
    return {"do": "approve", "request": [shown.text()]}


def api_many(case: Case) -> dict[str, Any]:
    one = {"id": case.open.pk, "version": 1, "seen": {str(case.line(case.open)): 0}}
    return {"verb": "decline", "requests": [one], "reason": "no"}


def amended(case: Case) -> dict[str, Any]:
    line = case.line(case.open)
    return {"version": case.version(case.open), f"amount-{line}": "7", "reason": "less"}


def answered(case: Case) -> dict[str, Any]:
    return {"version": case.version(case.returned), "text": "Because."}


def because(case: Case) -> dict[str, Any]:
    return {"reason": "Upgrade"}


def ignored(case: Case) -> dict[str, Any]:
    return {"until_on": str(timezone.localdate()), "reason": "tests"}


def of_drift(case: Case) -> dict[str, Any]:
    return {"slug": "atlas-reco", "pk": case.drift.pk}


def chosen(case: Case) -> dict[str, Any]:
    return {"drift": [case.drift.pk]}


def of_cause(case: Case) -> dict[str, Any]:
    return {"cause": "unexpected", "slug": "nova-geneva"}


def cores(case: Case) -> dict[str, Any]:
    return {"slug": "nova-geneva", "limit_id": Limit.objects.get(key="cores").pk}


def gigabytes(case: Case) -> dict[str, Any]:
    return {"slug": "cinder-geneva", "limit_id": case.left_out.pk}


def all_skipped(case: Case) -> dict[str, Any]:
    return {"all": "yes", "reason": "tests"}


def of_taken(case: Case) -> dict[str, Any]:
    return {"slug": "keystone", "target_id": case.taken.pk}


def funded(case: Case) -> dict[str, Any]:
    """The form that declares and funds an envelope of TRIGGER, paid by ATLAS."""
    name, left = case.site.vcpu.slug, case.site.envelope(case.site.vcpu)
    return {
        "region": "geneva", f"amount-{name}": "5", f"seen-{name}": f"-:0:atlas:{left}",
        "do": "book",
    }  # fmt: skip


def api_funded(case: Case) -> dict[str, Any]:
    left = case.site.envelope(case.site.vcpu)
    seen = {"left": None, "promised": 0, "source": "atlas", "source_left": left}
    return {"changes": {case.site.vcpu.slug: 5}, "seen": {case.site.vcpu.slug: seen}}


def moved(case: Case) -> dict[str, Any]:
    units = {each.slug: each for each in Unit.objects.select_related("parent")}
    seen = move_of(units["trigger"], units["daq"], timezone.now()).seen
    return {"parent": "daq", "seen": seen}


def retired(case: Case) -> dict[str, Any]:
    unit = Unit.objects.select_related("parent").get(slug="trigger")
    return {"seen": retirement_of(unit, timezone.now()).seen}


def of_envelope(case: Case) -> dict[str, Any]:
    return {"slug": "atlas", "offering": case.site.vcpu.slug}


TRIGGER = slug("trigger")


def handing(case: Case) -> dict[str, Any]:
    """Dana hands a little on; what others hold they cannot name."""
    return {
        "from": case.site.delegations["dana"].pk, "to": f"person:{case.site.erin.public_id}",
        "unit": "atlas", "powers": [Power.DECIDE_QUOTA], "depth": 0, "do": "hand",
        "row-0-resource": "vcpu", "row-0-zone": "*", "row-0-per_decision": "1",
    }  # fmt: skip


def deputising(case: Case) -> dict[str, Any]:
    return {"to": f"person:{case.site.erin.public_id}", "ends_on": "2099-12-31", "do": "name"}


def api_handing(case: Case) -> dict[str, Any]:
    return {
        "parent": case.site.delegations["dana"].pk, "unit": "atlas", "powers": ["decide quota"],
        "delegate": {"kind": "person", "id": str(case.site.erin.public_id)},
        "bounds": [{"resource": "vcpu", "per_decision": 1}],
    }  # fmt: skip


def api_deputising(case: Case) -> dict[str, Any]:
    return {"person": str(case.site.erin.public_id), "ends_at": "2099-12-31T00:00:00Z"}


def of_handed(case: Case) -> dict[str, Any]:
    return {"pk": case.handed.pk}


def seen_hanging(case: Case) -> dict[str, Any]:
    return {"seen": seen_of(case.handed, timezone.now())}


def under_own(case: Case) -> dict[str, Any]:
    return {"parent": case.site.delegations["dana"].pk}


PROJECT = slug("atlas-reco")
ENDPOINT = slug("nova-geneva")

SAMPLES: dict[str, list[Sample]] = {
    # The house
    "livez": [get()],
    "readyz": [get()],
    "metrics": [get()],
    "sign_in": [get()],
    "sign_out": [post()],
    "set_language": [post(data=lambda case: {"language": "fr"})],
    # Own pages
    "home": [get()],
    "me": [get(), post(data=lambda case: {"language": "fr", "time_zone": ""})],
    "find": [get(query="?q=atlas")],
    "remit": [get()],
    "coverage": [get()],
    "queue": [get()],
    "project_list": [get()],
    "request_list": [get()],
    "request_new": [get(), post(data=wish, row="ask")],
    "request_preview": [post(data=wish)],
    # The catalogue
    "catalogue": [get()],
    "unit_list": [get()],
    "unit_detail": [get(slug("atlas"))],
    "unit_fund": [get(TRIGGER), post(TRIGGER, funded)],
    "unit_fund_preview": [post(TRIGGER, funded)],
    "unit_envelope": [get(of_envelope)],
    "unit_acts": [get(slug("atlas"))],
    "unit_move": [get(TRIGGER), get(TRIGGER, "?parent=daq"), post(TRIGGER, moved)],
    "unit_retire": [get(TRIGGER), post(TRIGGER, retired)],
    # A project and its requests
    "project_detail": [get(PROJECT)],
    "quota_why": [get(lambda case: {"slug": "atlas-reco", "offering": case.site.vcpu.slug})],
    "quota_explain": [get(lambda case: {"slug": "atlas-reco", "offering": case.site.vcpu.slug})],
    "decision_why": [get(lambda case: {"pk": case.returned.decisions.get().pk})],
    "request_detail": [get(number("open"))],
    "request_progress": [get(number("open"))],
    "request_edit": [get(number("draft")), post(number("draft"), wish)],
    "request_submit": [post(number("draft"))],
    "request_discard": [get(number("draft")), post(number("draft"))],
    "request_amend": [get(number("open")), post(number("open"), amended)],
    "request_nudge": [post(nudgeable("number"))],
    "request_answer": [post(number("returned"), answered)],
    "unit_waiting": [get(slug("atlas")), post(slug("atlas"), waiting_days)],
    "request_withdraw": [get(number("open")), post(number("open"))],
    "request_comment": [post(number("open"), lambda case: {"text": "Hello"})],
    "request_watch": [post(number("open"))],
    "request_unwatch": [post(number("open"))],
    "notice_list": [get(), get(query="?unread=yes")],
    "notice_read": [post(data=lambda case: {"newest": "1"})],
    # Rules
    "policy_list": [get(), get(query="?unit=atlas")],
    "policy_detail": [get(of_rule("rule"))],
    "policy_new": [get(query="?unit=atlas"), post(data=rule_form)],
    "policy_preview": [post(data=rule_form)],
    "policy_revise": [get(of_rule("rule")), post(of_rule("rule"), rule_form)],
    "policy_replay": [get(of_rule("draft_rule"))],
    "policy_switch_on": [post(of_rule("draft_rule"), lambda case: {"version": "1"})],
    "policy_switch_off": [post(of_rule("rule"))],
    "api_policies": [
        get(),
        post(data=lambda case: api_rule(case) | {"unit": "atlas"}, row="decides"),
    ],
    "api_policy": [get(of_rule("rule"))],
    "api_policy_replay": [get(of_rule("draft_rule"))],
    "api_policy_revise": [
        post(of_rule("rule"), lambda case: api_rule(case) | {"version": 1}),
    ],
    "api_policy_switch_on": [post(of_rule("draft_rule"), lambda case: {"version": 1})],
    "api_policy_switch_off": [post(of_rule("rule"))],
    # Deciding and operating
    "decide": [get(number("open"))],
    "queue_bulk": [post(data=many), post(data=lambda case: many(case) | {"confirmed": "yes"})],
    "request_approve": [post(number("open"), decided())],
    "request_endorse": [post(endorsable("number"), decided())],
    "request_return": [post(number("open"), decided(reason="Why?"))],
    "request_decline": [
        post(number("open"), decided(reason="No")),
        post(number("open"), decided(reason="No", confirmed="yes")),
    ],
    "delegate": [get(), post(data=handing)],
    "delegate_preview": [post(data=handing)],
    "deputy_new": [get(), post(data=deputising)],
    "delegation_tree": [get(), get(query="?unit=atlas")],
    "delegation_revoke": [get(of_handed), post(of_handed, seen_hanging)],
    "delegation_detail": [get(lambda case: {"pk": case.site.delegations["dana"].pk})],
    "endpoint_list": [get()],
    "endpoint_detail": [get(ENDPOINT)],
    "endpoint_retry": [post(ENDPOINT)],
    "endpoint_pause": [get(ENDPOINT), post(ENDPOINT, because)],
    "endpoint_restrict": [get(ENDPOINT), post(ENDPOINT, because)],
    "endpoint_resume": [post(slug("cinder-geneva"))],
    "target_retry": [
        post(lambda case: {"slug": "nova-geneva", "target_id": case.refused.pk}),
    ],
    "target_adopt": [
        get(of_taken),
        post(of_taken, lambda case: {"external_id": STRANGER["id"]}),
    ],
    "target_recreate": [
        get(lambda case: {"slug": "cinder-geneva", "target_id": case.gone.pk}),
        post(lambda case: {"slug": "cinder-geneva", "target_id": case.gone.pk}),
    ],
    "endpoint_plan": [get(ENDPOINT)],
    "endpoint_refresh": [
        post(ENDPOINT, lambda case: {"target": [case.refused.pk]}),
    ],
    "target_plan": [get(lambda case: {"slug": "nova-geneva", "target_id": case.refused.pk})],
    "target_refresh": [
        post(lambda case: {"slug": "nova-geneva", "target_id": case.refused.pk}),
    ],
    "project_plan": [get(PROJECT)],
    "drift_list": [get()],
    "drift_restore": [get(pk("drift")), post(pk("drift"))],
    "drift_ignore": [get(pk("drift")), post(pk("drift"), ignored)],
    "drift_chosen": [
        post(data=lambda case: chosen(case) | {"do": "restore"}),
        post(data=lambda case: chosen(case) | {"do": "restore", "confirmed": "yes"}),
        post(data=lambda case: chosen(case) | {"do": "ignore"}),
    ],
    "drift_adopt": [get(of_drift), post(of_drift, lambda case: {"seen": case.drift.seen})],
    "problem_list": [get()],
    "problem_detail": [get(of_cause)],
    "problem_retry": [
        post(of_cause, lambda case: {"all": "yes"}),
        post(of_cause, lambda case: {"only": case.refused.pk}),
    ],
    "problem_skip": [post(of_cause, all_skipped)],
    "problem_remedy": [post(of_cause, lambda case: {"all": "yes"})],
    "limit_leave_out": [post(cores, lambda case: {"reason": "tests"})],
    "limit_take_in": [post(gigabytes)],
    "job_list": [get()],
    "job_detail": [get(number("job"))],
    "job_progress": [get(number("job"))],
    # The API
    "api_schema": [get()],
    "api_me": [get()],
    "api_regions": [get()],
    "api_region": [get(slug("geneva"))],
    "api_zones": [get()],
    "api_zone": [get(slug("geneva.compute-a", "zone_id"))],
    "api_resources": [get()],
    "api_resource": [get(slug("vcpu"))],
    "api_offerings": [get()],
    "api_offering": [get(slug("geneva.compute-a.vcpu"))],
    "api_presets": [get()],
    "api_preset": [get(slug("small"))],
    "api_units": [get()],
    "api_unit": [get(slug("atlas"))],
    "api_envelopes": [get(slug("atlas"))],
    "api_envelope": [get(of_envelope)],
    "api_envelope_acts": [get(slug("atlas"))],
    "api_envelopes_change": [post(TRIGGER, api_funded)],
    "api_envelopes_preview": [post(TRIGGER, lambda case: {"changes": {case.site.vcpu.slug: 5}})],
    "api_unit_move": [post(TRIGGER, moved)],
    "api_move_preview": [post(TRIGGER, lambda case: {"parent": "daq"})],
    "api_unit_retire": [post(TRIGGER, retired)],
    "api_retirement_preview": [post(TRIGGER)],
    "api_decider_coverage": [get()],
    "api_delegations": [get(), post(data=api_handing, row="hand on")],
    "api_delegation_preview": [post(data=api_handing)],
    "api_deputies": [post(data=api_deputising)],
    "api_hanging": [get(of_handed)],
    "api_revoke": [post(of_handed, seen_hanging)],
    "api_reissue_preview": [post(of_handed, under_own)],
    "api_reissue": [post(of_handed, lambda case: seen_hanging(case) | under_own(case))],
    "api_delegation": [get(lambda case: {"pk": case.site.delegations["dana"].pk})],
    "api_projects": [get()],
    "api_project": [get(PROJECT)],
    "api_members": [get(PROJECT)],
    "api_accounts": [get(PROJECT)],
    "api_transfers": [get(PROJECT)],
    "api_preview": [
        post(data=lambda case: {"project": "atlas-reco", "lines": api_wish(case)["lines"]})
    ],
    "api_requests": [
        get(),
        post(data=lambda case: api_wish(case) | {"project": "atlas-reco"}, row="ask"),
    ],
    "api_request": [
        get(pk("open")),
        Sample(pk("draft"), "PUT", api_wish, "draft"),
        Sample(pk("draft"), "DELETE", row="draft"),
    ],
    "api_comments": [get(pk("open"))],
    "api_request_submit": [post(pk("draft"))],
    "api_request_amend": [
        post(
            pk("open"),
            lambda case: {"lines": {case.site.vcpu.slug: 7}, "version": case.version(case.open)},
        )
    ],
    "api_request_answer": [post(pk("returned"), answered)],
    "api_request_withdraw": [post(pk("open"))],
    "api_request_comment": [post(pk("open"), lambda case: {"text": "Hello"})],
    "api_request_watch": [post(pk("open"))],
    "api_request_unwatch": [post(pk("open"))],
    "api_notices": [get()],
    "api_notices_read": [post(data=lambda case: {"newest": 1})],
    "api_request_approve": [post(pk("open"), api_approve)],
    "api_request_endorse": [post(endorsable("pk"), api_endorse)],
    "api_request_nudge": [post(nudgeable("pk"))],
    "api_request_waiting": [get(pk("open"))],
    "api_unit_waiting": [
        Sample(slug("atlas"), row="catalogue"),
        Sample(slug("atlas"), "PUT", waiting_days),
    ],
    "api_request_decline": [post(pk("open"), api_refuse)],
    "api_request_return": [post(pk("open"), api_refuse)],
    "api_queue": [get()],
    "api_queue_decide": [post(data=api_many)],
    "api_decisions": [get()],
    "api_explain": [get(PROJECT, "?offering=geneva.compute-a.vcpu")],
    "api_decision_why": [get(lambda case: {"pk": case.returned.decisions.get().pk})],
    "api_decision": [get(lambda case: {"pk": case.returned.decisions.get().pk})],
    "api_endpoints": [get()],
    "api_endpoint": [get(ENDPOINT)],
    "api_endpoint_retry": [post(ENDPOINT)],
    "api_endpoint_pause": [post(ENDPOINT, because)],
    "api_endpoint_restrict": [post(ENDPOINT, because)],
    "api_endpoint_resume": [post(slug("cinder-geneva"))],
    "api_endpoint_words": [get(ENDPOINT)],
    "api_endpoint_plan": [get(ENDPOINT)],
    "api_endpoint_refresh": [
        post(ENDPOINT, lambda case: {"targets": [case.refused.pk]}),
    ],
    "api_targets": [get()],
    "api_target": [get(pk("refused"))],
    "api_target_retry": [post(pk("refused"))],
    "api_target_adopt": [post(pk("taken"), lambda case: {"external_id": STRANGER["id"]})],
    "api_target_recreate": [post(pk("gone"))],
    "api_target_refresh": [post(pk("refused"))],
    "api_drifts": [get()],
    "api_drift": [get(pk("drift"))],
    "api_coverage": [get()],
    "api_unanswered": [get()],
    "api_drift_restore": [post(pk("drift"))],
    "api_drift_ignore": [post(pk("drift"), ignored)],
    "api_drift_adopt": [post(pk("drift"), lambda case: {"seen": case.drift.seen})],
    "api_drifts_restore": [post(data=chosen)],
    "api_drifts_ignore": [post(data=lambda case: chosen(case) | ignored(case))],
    "api_target_skip": [post(pk("refused"), lambda case: {"reason": "tests"})],
    "api_target_remedy": [post(pk("refused"))],
    "api_limit_leave_out": [
        post(
            lambda case: {"slug": "nova-geneva", "key": "cores"},
            lambda case: {"reason": "tests"},
        )
    ],
    "api_limit_take_in": [post(lambda case: {"slug": "cinder-geneva", "key": "gigabytes"})],
    "api_problems": [get()],
    "api_problem_targets": [get(of_cause)],
    "api_problem_retry": [post(of_cause)],
    "api_problem_skip": [post(of_cause, lambda case: {"reason": "tests"})],
    "api_problem_remedy": [post(of_cause)],
    "api_jobs": [get()],
    "api_job": [get(pk("job"))],
    "api_job_items": [get(pk("job"))],
    "api_events": [get()],
}


def urls(patterns: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    """(address as written, pattern) of every URL of the site."""
    for each in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(each, URLResolver):
            yield from urls(each.url_patterns, before + str(each.pattern))
        else:
            yield before + str(each.pattern), each


def row_of(name: str) -> str:
    views = {each.name: each.callback for _where, each in urls()}
    return str(getattr(views[name], "access_row", ""))


def ask(case: Case, role: str, name: str, sample: Sample) -> int:
    """What a role gets, as the table counts it. What the call changed is undone."""
    with transaction.atomic():
        client = Client()
        if role != "anonymous":
            client.force_login(case.people[role])
        url = reverse(name, kwargs=sample.kwargs(case)) + sample.query
        data = sample.data(case)
        if sample.method == "GET":
            answer = client.get(url)
        elif name.startswith("api_"):
            send = getattr(client, sample.method.lower())
            answer = send(url, data, JSON)
        else:
            answer = client.post(url, data)
        transaction.set_rollback(True)
    return counted(answer, name)


def counted(answer: Any, name: str) -> int:
    is_to_sign_in = answer.status_code == 302 and answer["Location"].startswith("/sign-in/")
    if is_to_sign_in and name != "sign_out":
        return SIGN_IN
    return OK if answer.status_code < 400 else answer.status_code


def test_every_url_names_its_row_of_the_table() -> None:
    without = [
        where for where, each in urls() if getattr(each.callback, "access_row", "") not in ROWS
    ]
    assert without == []


def test_every_url_has_a_name_of_its_own_and_a_sample_here() -> None:
    names = [each.name for _where, each in urls()]
    assert len(names) == len(set(names))
    assert set(names) == set(SAMPLES)


def test_the_roles_of_the_table_are_cast(case: Case) -> None:
    assert set(ROLES) == {"anonymous", *case.people}
    assert {status for row in ROWS.values() for status in row.values()} == {
        OK, NO, HIDDEN, SIGN_IN,
    }  # fmt: skip


CALLS = [
    pytest.param(name, sample, id=f"{sample.method} {name}{' ' if count else ''}{count or ''}")
    for name, samples in SAMPLES.items()
    for count, sample in enumerate(samples)
]


@pytest.mark.parametrize(("name", "sample"), CALLS)
def test_each_role_gets_what_the_table_says(case: Case, name: str, sample: Sample) -> None:
    row = sample.row or row_of(name)
    assert {role: ask(case, role, name, sample) for role in ROLES} == ROWS[row]
