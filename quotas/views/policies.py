"""Rules that grant at once: the list, one rule, making and revising it, its replay, its switch."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import DomainError, Forbidden, Invalid, NotVisible
from projects.models import Delegation, Unit
from projects.queries.viewers import Viewer
from projects.rules import may_decide_somewhere, may_see_figures
from projects.states import Power
from projects.views.viewer import viewer_of
from quotas.actions import policies as verbs
from quotas.actions.policies import Terms, check_terms, choose_delegation
from quotas.forms import take_errors
from quotas.models import Policy, PolicyVersion
from quotas.queries.policies import (
    all_policies,
    granted_lately,
    newest_versions,
    rules,
    standing_delegations,
)
from quotas.queries.policy_words import condition_words, scope_words
from quotas.queries.replay import Outcome, replay
from quotas.rules import may_change_policy, may_switch_off
from quotas.states import PolicyState

from .envelopes import unit_of
from .pages import is_slug, page_of
from .policy_form import PolicyForm, initial_of

MOST_OFFERED = 3


@shows("catalogue")
@require_safe
def policy_list(request: HttpRequest) -> HttpResponse:
    """Every rule, those of the nearest units together; `?unit=` leaves one unit's."""
    viewer, slug = viewer_of(request), request.GET.get("unit", "")
    rows = all_policies().order_by("unit__path", "pk")
    unit = Unit.objects.filter(slug=slug).first() if is_slug(slug) else None
    if slug:
        rows = rows.filter(unit=unit)
    page = page_of(request, rows)
    context = {
        "here": "units",
        "unit": unit,
        "page": page,
        "rules": rules(page.rows, viewer.now),
        "makes_for": _makes_for(viewer, unit),
    }
    return render(request, "policies/list.html", context)


def _makes_for(viewer: Viewer, unit: Unit | None) -> list[Unit]:
    """For which units the page offers to make a rule: its own, or some that one decides for."""
    if unit is not None:
        return [unit] if standing_delegations(viewer, unit) else []
    held = {each.unit for each in viewer.delegations if Power.DECIDE_QUOTA in each.powers}
    return sorted(held, key=lambda each: each.path)[:MOST_OFFERED]


@shows("catalogue")
@require_safe
def policy_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One rule: what it says and said, how it stands, and what it granted lately."""
    viewer = viewer_of(request)
    policy = _policy(pk)
    rule = rules([policy], viewer.now)[0]
    versions = policy.versions.select_related("resource", "zone__region", "made_by")
    context = {
        "here": "units",
        "rule": rule,
        "versions": versions.order_by("-number"),
        "granted": granted_lately(viewer, policy),
        "may_change": may_change_policy(viewer, policy),
        "may_switch_off": policy.state == PolicyState.ON and may_switch_off(viewer, policy),
        "may_replay": may_see_figures(viewer, policy.unit.path),
    }
    return render(request, "policies/detail.html", context)


@shows("decides")
@require_http_methods(["GET", "HEAD", "POST"])
def policy_new(request: HttpRequest) -> HttpResponse:
    """`?unit=` says for which unit; Enter in a field is the preview."""
    viewer = viewer_of(request)
    _must_decide(viewer)
    data = request.POST if request.method == "POST" else request.GET
    unit = _unit(data.get("unit", ""))
    choose_delegation(viewer, unit, None)
    sheet = Sheet(viewer, unit, standing_delegations(viewer, unit))
    if request.method != "POST":
        return _show(request, sheet, PolicyForm(held=sheet.held))
    form = PolicyForm(request.POST, held=sheet.held)
    form.is_valid()
    if request.POST.get("do") != "save":
        return _show(request, sheet, form)
    try:
        made = verbs.make(
            unit=unit, name=form.title, terms=form.terms(), delegation=form.chosen,
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    except DomainError as error:
        return _refused(request, sheet, form, error)
    messages.success(request, _("%(rule)s is a draft. See what it would have done.") % {
        "rule": made
    })  # fmt: skip
    return redirect("policy_replay", pk=made.pk)


@shows("decides")
@require_http_methods(["GET", "HEAD", "POST"])
def policy_revise(request: HttpRequest, pk: int) -> HttpResponse:
    """The same form for a new version of a rule."""
    viewer = viewer_of(request)
    _must_decide(viewer)
    policy = _policy(pk)
    if not may_change_policy(viewer, policy):
        words = {"delegation": str(policy.delegation), "person": policy.person}
        raise Forbidden(
            _("It stands on %(delegation)s of %(person)s, who alone can change it.") % words
        )
    version = newest_versions([policy])[pk]
    sheet = Sheet(viewer, policy.unit, [policy.delegation], policy, version)
    if request.method != "POST":
        form = PolicyForm(held=sheet.held, initial=initial_of(policy, version))
        return _show(request, sheet, form)
    form = PolicyForm(request.POST, held=sheet.held)
    form.is_valid()
    if request.POST.get("do") != "save":
        return _show(request, sheet, form)
    try:
        verbs.revise(
            policy=policy, name=form.title, terms=form.terms(),
            version=_number(request.POST.get("version", "")),
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    except DomainError as error:
        return _refused(request, sheet, form, error)
    messages.success(request, _("%(rule)s says something else from now on.") % {"rule": policy})
    return redirect("policy_detail", pk=pk)


@shows("decides")
@require_POST
def policy_preview(request: HttpRequest) -> HttpResponse:
    """What the form would say in words, and what it would be refused for: the part for htmx."""
    viewer = viewer_of(request)
    _must_decide(viewer)
    unit = _unit(request.POST.get("unit", ""))
    held = standing_delegations(viewer, unit)
    choose_delegation(viewer, unit, None)
    form = PolicyForm(request.POST, held=held)
    form.is_valid()
    return render(request, "policies/_preview.html", _preview(form, Sheet(viewer, unit, held)))


@shows("figures")
@require_safe
def policy_replay(request: HttpRequest, pk: int) -> HttpResponse:
    """What the newest version would have done with what people decided; and the switch."""
    viewer = viewer_of(request)
    policy = _policy(pk)
    if not may_see_figures(viewer, policy.unit.path):
        raise Forbidden(_("Only who decides there sees what others decided."))
    rule = rules([policy], viewer.now)[0]
    found = replay(rule.version, policy.unit, policy.delegation, viewer.now)
    context = {
        "here": "units",
        "rule": rule,
        "replay": found,
        "other_count": found.counts[Outcome.OTHER],
        "left_count": found.counts[Outcome.LEFT],
        "agreed_count": found.counts[Outcome.AGREED],
        "refused_count": found.counts[Outcome.REFUSED],
        "may_switch_on": policy.state != PolicyState.ON and may_change_policy(viewer, policy),
    }
    return render(request, "policies/replay.html", context)


@shows("decides")
@require_POST
def policy_switch_on(request: HttpRequest, pk: int) -> HttpResponse:
    """`version`: the one whose replay was seen."""
    viewer = viewer_of(request)
    _must_decide(viewer)
    verbs.switch_on(
        policy=_policy(pk), version=_number(request.POST.get("version", "")), actor=viewer.user,
        now=viewer.now,
    )  # fmt: skip
    messages.success(request, _("R%(pk)s is on: it grants what is asked for from now on.") % {
        "pk": pk
    })  # fmt: skip
    return redirect("policy_detail", pk=pk)


@shows("decides")
@require_POST
def policy_switch_off(request: HttpRequest, pk: int) -> HttpResponse:
    viewer = viewer_of(request)
    _must_decide(viewer)
    verbs.switch_off(policy=_policy(pk), actor=viewer.user, now=viewer.now)
    messages.success(request, _("R%(pk)s is off: people decide again.") % {"pk": pk})
    return redirect("policy_detail", pk=pk)


@dataclass(frozen=True)
class Sheet:
    """What a form is about: a new rule of a unit, or another version of one."""

    viewer: Viewer
    unit: Unit
    held: list[Delegation]
    policy: Policy | None = None
    version: PolicyVersion | None = None


def _policy(pk: int) -> Policy:
    found = all_policies().filter(pk=pk).first()
    if found is None:
        raise NotVisible(_("There is no such rule."))
    return found


def _unit(slug: str) -> Unit:
    if not is_slug(slug):
        raise NotVisible(_("There is no such unit."))
    return unit_of(slug)


def _number(text: str) -> int:
    """A version as the page sent it; 0, which is none, for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _must_decide(viewer: Viewer) -> None:
    if not may_decide_somewhere(viewer):
        raise Forbidden(_("Rules are made by those who decide."))


def _refused(
    request: HttpRequest, sheet: Sheet, form: PolicyForm, error: DomainError
) -> HttpResponse:
    """The form again, with the domain's errors at its fields."""
    if isinstance(error, Invalid):
        known = set(form.errors)
        take_errors(form, {name: each for name, each in error.errors.items() if name not in known})
        return _show(request, sheet, form, error)
    return _show(request, sheet, form, error, refused=error)


def _show(
    request: HttpRequest,
    sheet: Sheet,
    form: PolicyForm,
    error: DomainError | None = None,
    refused: DomainError | None = None,
) -> HttpResponse:
    context = {"here": "units", "sheet": sheet, "form": form, "error": error, "refused": refused}
    context |= _preview(form, sheet)
    return render(request, "policies/form.html", context, status=error.status if error else 200)


def _preview(form: PolicyForm, sheet: Sheet) -> dict[str, Any]:
    """The rule in words, and the sentences it would be refused with; nothing before it is typed."""
    if not form.is_bound:
        version = sheet.version
        return {"words": None, "says": version and _said(version), "problems": []}
    try:
        terms = form.terms()
        stands_on = form.chosen or sheet.held[0]
        check_terms(terms, stands_on, name=form.title or "-")
    except Invalid as error:
        return {"says": None, "problems": [each[0] for each in error.errors.values()]}
    return {"says": _said(_unsaved(terms)), "problems": [], "repeats": _repeats(terms)}


def _unsaved(terms: Terms) -> PolicyVersion:
    return PolicyVersion(**{name: getattr(terms, name) for name in Terms.__dataclass_fields__})


def _said(version: PolicyVersion) -> dict[str, Any]:
    return {"scope": scope_words(version), "conditions": condition_words(version)}


def _repeats(terms: Terms) -> bool:
    """An increase that can be had again at once: only the delegation's window stops it."""
    return terms.direction == "increase" and terms.every_days is None
