"""All that happened to a project or a request as rows that can be read in pages and as a file.

The record of acts is their order; what people wrote about an act, what was decided and how much,
is looked up here: a fixed number of queries for any number of events.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from portal.lib.together import Rows, together
from projects.models import Event, Group, Project, ProjectAct, ProjectChange, Unit, User
from projects.states import ProjectActKind
from quotas.models import (
    Comment,
    Decision,
    DecisionLine,
    Delivery,
    Endpoint,
    PolicyVersion,
    QuotaRequest,
)

from .timeline_words import sentence_of

# Told by other means: for whom a request waits now stands on its page.
UNTOLD = ("rerouted",)
DELIVERING = ("applied", "retrying", "refused")
# {verb: what was done}: by these an event finds the act that it tells of.
ACTS = {
    "project proposed": ProjectActKind.PROPOSE,
    "project imported": ProjectActKind.IMPORT,
    "project opened": ProjectActKind.OPEN,
    "project dropped": ProjectActKind.DROP,
    "project renamed": ProjectActKind.RENAME,
    "project suspended": ProjectActKind.SUSPEND,
    "project resumed": ProjectActKind.RESUME,
    "project closing": ProjectActKind.CLOSE,
    "project kept": ProjectActKind.KEEP,
    "project closed": ProjectActKind.FINISH,
    "project gave back": ProjectActKind.GIVE_BACK,
    "project extended": ProjectActKind.EXTEND,
    "project moved": ProjectActKind.MOVE,
    "project held": ProjectActKind.HOLD,
    "project released": ProjectActKind.RELEASE,
    "loan returned": ProjectActKind.LOAN_END,
    "loan extended": ProjectActKind.LOAN_EXTEND,
    "loan made permanent": ProjectActKind.LOAN_KEEP,
    "quota returned": ProjectActKind.RETURN,
    "return undone": ProjectActKind.UNDO_RETURN,
    "return asked": ProjectActKind.ASK_BACK,
}


def events_of_project(project: Project) -> QuerySet[Event]:
    """Every act about a project and its requests."""
    rows = Event.objects.filter(project=project).exclude(verb__in=UNTOLD)
    return rows.select_related("actor")


def events_of_request(quota_request: QuotaRequest) -> QuerySet[Event]:
    """Every act about a request, and what services said of its grants until they were true."""
    own = Q(subject_kind="request", subject_id=quota_request.pk)
    granted = Event.objects.filter(own, verb="approved").aggregate(first=Min("pk"))["first"]
    if granted is not None:
        delivered = Delivery.objects.filter(
            Q(applied_at__isnull=True) | Q(applied_at__gte=OuterRef("at")),
            decision_line__decision__request=quota_request, target=OuterRef("subject_id"),
        )  # fmt: skip
        own |= Q(
            Exists(delivered), project=quota_request.project_id, subject_kind="target",
            verb__in=DELIVERING, pk__gt=granted,
        )  # fmt: skip
    return Event.objects.filter(own).exclude(verb__in=UNTOLD).select_related("actor")


@dataclass(frozen=True)
class Told:
    """An event with what is known of it. text: what somebody wrote; amounts: {offering: units}."""

    event: Event
    sentence: str
    text: str = ""
    request: int | None = None
    decision: int | None = None
    delegation: int | None = None
    endpoint: Endpoint | None = None
    whom: User | Group | None = None
    rule: PolicyVersion | None = None
    amounts: Mapping[str, int] = field(default_factory=dict)


def told(events: Sequence[Event]) -> list[Told]:
    """What a timeline tells of these events, in their order."""
    found = _Known(events)
    return [found.told(each) for each in events]


class _Known:
    """What is looked up for a page of events, each kind once and only where one is about it."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        # Always asked, so that a project's page costs the same before somebody joined it, or
        # something was decided; 0 is no row's id, without which nothing would be asked.
        self.granted = self._granted()
        users, groups = together(
            Rows(User.objects.filter(pk__in=[0, *self._ids("user")])),
            Rows(Group.objects.filter(pk__in=[0, *self._ids("group")])),
        )
        self.users: dict[int, User] = {each.pk: each for each in users}
        self.groups: dict[int, Group] = {each.pk: each for each in groups}

    def told(self, event: Event) -> Told:
        act, change, decision = self._act(event), self._change(event), self._decision(event)
        rule = decision.policy_version if decision is not None else None
        endpoint = self.endpoints.get(event.data.get("endpoint", ""))
        whom = self._whom(event)
        sentence = sentence_of(
            event, who=self._who(event, rule), whom=str(whom) if whom else "",
            unit=self._unit(event), endpoint=endpoint,
            change=str(change.get_kind_display()) if change else "",
        )  # fmt: skip
        return Told(
            event=event, sentence=sentence, text=self._text(event, act, change, decision),
            request=event.subject_id if event.subject_kind == "request" else None,
            decision=decision.pk if decision else None,
            delegation=act.delegation_id if act else None,
            endpoint=endpoint, whom=whom, rule=rule, amounts=self._amounts(event, act, decision),
        )  # fmt: skip

    def _who(self, event: Event, rule: PolicyVersion | None) -> str:
        if rule is not None:
            return _("Rule %(rule)s") % {"rule": rule}
        return str(event.actor) if event.actor else _("Remit")

    def _text(
        self, event: Event, act: ProjectAct | None, change: ProjectChange | None,
        decision: Decision | None,
    ) -> str:  # fmt: skip
        if decision is not None:
            return decision.reason
        if act is not None:
            return act.reason
        if change is not None:
            return change.reason if event.verb == "change asked" else change.answer
        if event.verb == "submitted":
            return self.reasons.get(event.subject_id or 0, "")
        if event.verb in ("commented", "answered"):
            return self.comments.get((event.subject_id, event.actor_id, event.at), "")
        return ""

    def _amounts(
        self, event: Event, act: ProjectAct | None, decision: Decision | None
    ) -> Mapping[str, int]:
        if decision is not None:
            return self.granted.get(decision.pk, {})
        if act is not None and "amounts" in act.data:
            return dict(act.data["amounts"])
        if act is not None and "amount" in act.data:
            return {act.data["offering"]: act.data["amount"]}
        # Of a drift, too, something is "wanted": a number.
        return dict(event.data.get("wanted") or {}) if event.subject_kind == "request" else {}

    def _act(self, event: Event) -> ProjectAct | None:
        kind = ACTS.get(event.verb)
        return self.acts.get((event.project_id, kind, event.at)) if kind else None

    def _change(self, event: Event) -> ProjectChange | None:
        is_change = event.subject_kind == "project_change"
        return self.changes.get(event.subject_id or 0) if is_change else None

    def _decision(self, event: Event) -> Decision | None:
        is_request = event.subject_kind == "request"
        return self.decisions.get(event.data.get("decision", 0)) if is_request else None

    def _whom(self, event: Event) -> User | Group | None:
        if event.subject_kind == "user":
            return self.users.get(event.subject_id or 0)
        return self.groups.get(event.subject_id or 0) if event.subject_kind == "group" else None

    def _unit(self, event: Event) -> str:
        unit = self.units.get(event.data.get("after", 0)) if event.verb == "project moved" else None
        return unit.label if unit else ""

    def _ids(self, kind: str, *verbs: str) -> set[int]:
        """The subjects of one kind, of some verbs or all."""
        return {
            each.subject_id
            for each in self.events
            if each.subject_kind == kind and each.subject_id is not None
            and (not verbs or each.verb in verbs)
        }  # fmt: skip

    @cached_property
    def endpoints(self) -> Mapping[str, Endpoint]:
        slugs = {each.data["endpoint"] for each in self.events if "endpoint" in each.data}
        return Endpoint.objects.in_bulk(slugs, field_name="slug") if slugs else {}

    @cached_property
    def units(self) -> Mapping[int, Unit]:
        moved = {each.data.get("after") for each in self.events if each.verb == "project moved"}
        return Unit.objects.in_bulk([each for each in moved if isinstance(each, int)])

    @cached_property
    def changes(self) -> Mapping[int, ProjectChange]:
        return ProjectChange.objects.in_bulk(self._ids("project_change"))

    @cached_property
    def acts(self) -> Mapping[tuple[int | None, str, datetime], ProjectAct]:
        about = [each for each in self.events if each.verb in ACTS]
        rows = ProjectAct.objects.filter(
            project__in={each.project_id for each in about}, at__in={each.at for each in about}
        )
        return {(each.project_id, each.kind, each.at): each for each in _some(rows, about)}

    @cached_property
    def decisions(self) -> Mapping[int, Decision]:
        ids = {
            each.data["decision"]
            for each in self.events
            if each.subject_kind == "request" and "decision" in each.data
        }
        return Decision.objects.select_related("policy_version__policy").in_bulk([0, *ids])

    def _granted(self) -> Mapping[int, dict[str, int]]:
        """{decision id: {offering: granted, or endorsed}}"""
        rows = DecisionLine.objects.filter(decision__in=[0, *self.decisions]).values_list(
            "decision", "line__offering__slug", "granted", "endorsed"
        )
        found: dict[int, dict[str, int]] = {}
        for decision_id, slug, granted, endorsed in rows.order_by("pk"):
            amount = endorsed if granted is None else granted
            if amount is not None:
                found.setdefault(decision_id, {})[slug] = amount
        return found

    @cached_property
    def reasons(self) -> Mapping[int, str]:
        ids = self._ids("request", "submitted")
        return dict(QuotaRequest.objects.filter(pk__in=ids).values_list("pk", "reason"))

    @cached_property
    def comments(self) -> Mapping[tuple[int | None, int | None, datetime], str]:
        written = [each for each in self.events if each.verb in ("commented", "answered")]
        rows = Comment.objects.filter(
            request__in={each.subject_id for each in written},
            at__in={each.at for each in written},
        )
        return {(each.request_id, each.author_id, each.at): each.text
                for each in _some(rows, written)}  # fmt: skip


def _some(rows: QuerySet[Any], about: Collection[Event]) -> Iterable[Any]:
    """The rows, without asking where there is nothing to ask about."""
    return rows if about else ()
