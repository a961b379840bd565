"""What is sent to a URL: its arguments and forms, made from the rows of the case."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from projects.models import Letter, Unit, Webhook
from projects.outgoing.stopping import stop_url
from projects.states import LetterState, Power, WebhookState
from quotas.actions.shown import Shown
from quotas.models import (
    Limit,
)
from quotas.queries.hanging import seen_of
from quotas.queries.unit_changes import move_of, retirement_of
from quotas.tests.access.case import Case
from quotas.tests.site import GIB


def of_rule(which: str) -> "Build":
    return lambda case: {"pk": getattr(case, which).pk}


def of_token(case: Case) -> dict[str, Any]:
    return {"public_id": case.token.public_id}


def of_program(which: str) -> "Build":
    return lambda case: {"public_id": getattr(case, which).public_id}


def of_webhook(case: Case) -> dict[str, Any]:
    return {"public_id": case.webhook.public_id}


def of_stop(case: Case) -> dict[str, Any]:
    """The link of a mail that was written to the owner."""
    url = stop_url(case.people["owner"], ["decided"])
    return {"text": url.rstrip("/").rpartition("/")[2]}


def of_letter(case: Case) -> dict[str, Any]:
    """One to the owner that could not be sent."""
    now = timezone.now()
    letter, __ = Letter.objects.get_or_create(
        person=case.people["owner"], thread="request-1", state=LetterState.GIVEN_UP,
        defaults={"due_at": now, "next_try_at": now, "created_at": now, "ended_at": now},
    )  # fmt: skip
    return {"pk": letter.pk}


def webhook_that_is_off(case: Case) -> dict[str, Any]:
    Webhook.objects.filter(pk=case.webhook.pk).update(state=WebhookState.OFF)
    return of_webhook(case)


def a_webhook(case: Case) -> dict[str, Any]:
    return {"name": "Tickets", "url": "https://tickets.example.org/", "version": 1}


def a_new_webhook(case: Case) -> dict[str, Any]:
    return {"name": "Tickets", "url": "https://tickets.example.org/", "project": "atlas-reco"}


def a_token(case: Case) -> dict[str, Any]:
    return {"name": "sync", "scopes": ["read"]}


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


def proposal(case: Case) -> dict[str, Any]:
    """A new project, by form; what `api_proposal` sends."""
    return {
        "name": "Higgs Reco", "purpose": "Reconstruction of 2026 data", "unit": "atlas",
        f"amount-{case.site.vcpu.slug}": "1", f"amount-{case.site.space.slug}": "3G",
        f"role-person:{case.site.bob.public_id}": "member", "until": "stays", "do": "send",
    }  # fmt: skip


def api_proposal(case: Case) -> dict[str, Any]:
    holder = {"kind": "person", "id": str(case.site.bob.public_id)}
    return {
        "name": "Higgs Reco", "purpose": "Reconstruction of 2026 data", "unit": "atlas",
        "presets": ["small"], "lines": {case.site.space.slug: 3 * GIB},
        "members": [{"holder": holder, "role": "member"}],
    }  # fmt: skip


def renamed(case: Case) -> dict[str, Any]:
    return {"name": "ATLAS 2026", "version": case.site.project.version}


def shares(case: Case) -> dict[str, Any]:
    return {"percents": "50, 90", "version": 1}


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
