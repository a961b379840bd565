"""Adopting a limit that was set outside: what was seen becomes the quota, by a decision.

Whoever adopts decides: the same power, bounds, separation of duties and proof as for any
request. A request in their name says what was found, and is granted in one transaction.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.actions.units import hold_place
from projects.models import Project, User
from projects.queries.viewers import Viewer, roles_in, visible_projects
from projects.rules import has_an_interest, may_decide_in
from quotas.models import Decision, Drift, QuotaRequest, RequestLine
from quotas.queries.drift import Choice, choices_of, drifts, wanted_by
from quotas.queries.drift_words import adopted_reason, why_not_adopt
from quotas.states import PENDING, DriftEnd, DriftKind, LineState

from . import decide
from .sending import add_lines, create, note
from .wishes import Wish, clean_text

MAX_NOTE = 1000


def adopt(
    *,
    drift: Drift,
    offering: str = "",
    seen: int,
    reason: str = "",
    actor: User,
    now: datetime,
) -> Decision:
    """Make the limit that was seen the quota; the target is then true without a write.

    offering: slug of the one that takes the difference, needed where several feed the limit;
    seen: the limit that the person saw, in base units. Raises NotVisible, Forbidden,
    Conflict with what helps instead, NoRoom, Stale where it changed meanwhile, Invalid.
    """
    with transaction.atomic():
        project = _lock_project(drift)
        may_adopt(Viewer.of(actor, now), project)
        found = drifts().filter(pk=drift.pk).first()
        if found is None:
            raise NotVisible(_("There is no such drift."))
        if sentence := why_not_adopt(found):
            raise Conflict(sentence, drift=found.pk, kind=found.kind)
        choices = choices_of(found)
        if found.seen != seen or found.wanted != wanted_by(choices):
            raise _moved(found)
        choice = _chosen(found, choices, offering)
        _refuse_pending(project, choice)
        decision = _decide(found, choice, reason, actor, now)
        _end(found, decision, now)
        _end_others(found, choice, decision, now)
    return decision


def may_adopt(viewer: Viewer, project: Project) -> None:
    """Raise NotVisible or Forbidden unless the person decides for the project at all."""
    if not visible_projects(viewer).filter(pk=project.pk).exists():
        raise NotVisible(_("There is no such drift."))
    if has_an_interest(roles_in(viewer, project)):
        raise Forbidden(
            _("You hold a role in %(project)s: somebody else must decide.")
            % {"project": project.name},
            project=project.slug,
        )
    if not may_decide_in(viewer, project):
        raise Forbidden(
            _(
                "What was set outside becomes quota by a decision, and you hold no delegation "
                "that lets you decide quota for %(unit)s."
            )
            % {"unit": project.unit.label},
            unit=project.unit.slug,
        )


def _lock_project(drift: Drift) -> Project:
    project = lock(Project.objects.filter(targets__drifts=drift.pk))[0]
    hold_place(project)
    return project


def _chosen(drift: Drift, choices: Sequence[Choice], slug: str) -> Choice:
    """The offering that takes the difference. Raises Invalid, and Conflict where none can."""
    if not choices:
        raise Conflict(_("No offering feeds this limit: it is 0, and can only be restored."))
    if len(choices) == 1 and not slug:
        found: Choice | None = choices[0]
    else:
        found = next((each for each in choices if each.offering.slug == slug), None)
    if found is None:
        sentence = (
            _("This does not feed the limit; choose one that does.")
            if slug
            else _("Several zones count against this limit: say which takes the difference.")
        )
        raise Invalid({"offering": [sentence]})
    if found.granted is None:
        raise Conflict(_not_in_steps(drift, found), offering=found.offering.slug)
    return found


def _not_in_steps(drift: Drift, choice: Choice) -> str:
    resource = choice.offering.resource
    unit = resource.quota_unit
    seen, wanted = drift.seen or 0, drift.wanted or 0
    words = {
        "resource": resource.name,
        "zone": choice.offering.zone.name,
        "step": format_amount(resource.step * choice.factor, unit),
        "difference": format_amount(abs(seen - wanted), unit),
        "quota": format_amount(choice.balance, unit),
    }
    if seen < wanted and choice.balance * choice.factor < wanted - seen:
        return (
            _(
                "%(resource)s in %(zone)s has %(quota)s only: %(difference)s cannot be taken "
                "from it. Choose another, or restore."
            )
            % words
        )
    return (
        _(
            "A difference of %(difference)s is no multiple of %(step)s, in which %(resource)s "
            "in %(zone)s moves this limit. Restore, or have a fitting limit set."
        )
        % words
    )


def _refuse_pending(project: Project, choice: Choice) -> None:
    pending = RequestLine.objects.filter(
        project=project, offering=choice.offering, state__in=PENDING
    ).first()
    if pending is not None:
        words = {
            "resource": choice.offering.resource.name,
            "zone": choice.offering.zone.name,
            "number": pending.request_id,
        }
        raise Conflict(
            _(
                "%(resource)s in %(zone)s is asked for in #%(number)s: decide that one first, "
                "then look at what still differs."
            )
            % words,
            request=pending.request_id,
            offering=choice.offering.slug,
        )


def _decide(drift: Drift, choice: Choice, reason: str, actor: User, now: datetime) -> Decision:
    """Ask for it in the actor's name and grant it, as any decision is made."""
    granted = choice.granted
    if granted is None:  # pragma: no cover - _chosen refuses it
        raise AssertionError("nothing to grant")
    said = clean_text(reason, field="reason", required=False, most=MAX_NOTE)
    text = f"{adopted_reason(drift)} {said}".strip()
    wish = Wish({choice.offering.slug: granted}, text)
    asked = create(drift.target.project, wish, actor, now)
    add_lines(asked, {choice.offering: granted}, LineState.OPEN)
    # Decided at once: it waits for nobody, so it is routed to nobody.
    QuotaRequest.objects.filter(pk=asked.pk).update(submitted_at=now)
    note(asked, "submitted", Viewer.of(actor, now), {choice.offering: granted})
    line = asked.lines.get()
    return decide.approve_inside(
        quota_request=asked,
        granted={line.pk: granted},
        seen={line.pk: choice.balance},
        version=asked.version,
        reason=text,
        actor=actor,
        now=now,
    )


def _end(drift: Drift, decision: Decision, now: datetime) -> None:
    """End the drift by compare-and-set: what was looked at is still what is there."""
    as_seen = Drift.objects.filter(
        pk=drift.pk, ended_at__isnull=True, kind=drift.kind, seen=drift.seen, wanted=drift.wanted
    )
    if not as_seen.update(ended_at=now, end=DriftEnd.ADOPTED, decision=decision):
        raise _moved(drifts().get(pk=drift.pk))
    record(
        "drift_adopted", actor=decision.actor, now=now, project=drift.target.project,
        subject_kind="drift", subject_id=drift.pk, endpoint=drift.target.endpoint.slug,
        kind=drift.kind, decision=decision.pk, request=decision.request_id,
    )  # fmt: skip


def _end_others(drift: Drift, choice: Choice, decision: Decision, now: datetime) -> None:
    """What the same decision made true elsewhere: a type's space also counts in the total."""
    others = drifts().filter(
        target__project=drift.target.project_id, ended_at__isnull=True,
        kind=DriftKind.LIMIT_CHANGED, limit__contributions__offering=choice.offering,
    )  # fmt: skip
    for each in others:
        if each.seen == wanted_by(choices_of(each)):
            _end(each, decision, now)


def _moved(drift: Drift) -> Stale:
    words = {"endpoint": drift.target.endpoint.name}
    return Stale(
        _(
            "What %(endpoint)s says, or what is granted there, has changed since you looked. "
            "Nothing was booked; look again."
        )
        % words,
        seen=drift.seen,
        wanted=drift.wanted,
    )
