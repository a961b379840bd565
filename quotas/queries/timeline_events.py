"""All that happened to a project or a request as rows that can be read in pages and as a file.

The record of acts is their order; what people wrote about an act, what was decided and how much,
is looked up here: a fixed number of queries for any number of events.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import (
    DateTimeField,
    Exists,
    Min,
    OuterRef,
    Q,
    QuerySet,
    TextField,
)
from django.utils.translation import gettext as _

from portal.lib.compiled import Answers, compiled
from portal.lib.lookups import IsAnyOf, is_of
from portal.lib.together import Part, Rows, Values
from projects.models import Event, Group, ProjectAct, ProjectChange, Unit, User
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


def events_of_project(project: Any) -> QuerySet[Event]:
    """Every act about a project and its requests; project: it, its id or a slot for that."""
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
    """What a timeline tells of these events, in their order; one query."""
    return told_from(events, _known(**known_keys(events)))


def told_from(events: Sequence[Event], known: Answers) -> list[Told]:
    """As `told`. known: the answer to `known_parts`, asked with the `known_keys` of the events."""
    found = _Known(events, known)
    return [found.told(each) for each in events]


def known_keys(events: Sequence[Event]) -> dict[str, list[Any]]:
    """By which is found what these events are about: arrays for the slots of `known_parts`."""
    asked = [each for each in events if each.subject_kind == "request"]
    written = [each for each in asked if each.verb in ("commented", "answered")]
    acted = [each for each in events if each.verb in ACTS]
    return {
        "users": _subjects(events, "user"),
        "groups": _subjects(events, "group"),
        "changes": _subjects(events, "project_change"),
        "units": [
            each.data["after"]
            for each in events
            if each.verb == "project moved" and isinstance(each.data.get("after"), int)
        ],
        "endpoints": [each.data["endpoint"] for each in events if "endpoint" in each.data],
        "decisions": [each.data["decision"] for each in asked if "decision" in each.data],
        "reasoned": [each.subject_id for each in asked if each.verb == "submitted"],
        "commented": [each.subject_id for each in written],
        "comment_moments": [each.at for each in written],
        "acted": list({each.project_id for each in acted}),
        "act_moments": [each.at for each in acted],
    }


def known_parts(
    *, users: Any, groups: Any, changes: Any, units: Any, endpoints: Any, decisions: Any,
    reasoned: Any, commented: Any, comment_moments: Any, acted: Any, act_moments: Any,
) -> list[Part]:  # fmt: skip
    """What asks for all that `told_from` tells, each by an array of keys."""
    decided = Decision.objects.filter(is_of("pk", decisions))
    amounts = DecisionLine.objects.filter(is_of("decision", decisions)).order_by("pk")
    asked = QuotaRequest.objects.filter(is_of("pk", reasoned)).order_by()
    comments = Comment.objects.filter(is_of("request", commented), _is_at(comment_moments))
    acts = ProjectAct.objects.filter(is_of("project", acted), _is_at(act_moments))
    rules = PolicyVersion.objects.filter(pk__in=decided.values("policy_version")).order_by()
    return [
        Rows(User.objects.filter(is_of("pk", users)).order_by()),
        Rows(Group.objects.filter(is_of("pk", groups)).order_by()),
        Rows(ProjectChange.objects.filter(is_of("pk", changes)).order_by()),
        Rows(Unit.objects.filter(is_of("pk", units)).order_by()),
        Rows(Endpoint.objects.filter(is_of("slug", endpoints, TextField())).order_by()),
        Values(decided.order_by(), ["pk", "reason", "policy_version"]),
        Values(amounts, ["decision", "line__offering__slug", "granted", "endorsed"]),
        Rows(rules, ["policy", "resource", "zone"]),
        Values(asked, ["pk", "reason"]),
        Rows(comments.order_by()),
        Rows(acts.order_by()),
    ]


_known = compiled(known_parts)


def _is_at(moments: Any) -> IsAnyOf:
    return is_of("at", moments, DateTimeField())


def _subjects(events: Iterable[Event], kind: str) -> list[int]:
    return [
        each.subject_id
        for each in events
        if each.subject_kind == kind and each.subject_id is not None
    ]


@dataclass(frozen=True)
class _Decided:
    """What a timeline tells of a decision: without its proof, which is long."""

    pk: int
    reason: str
    rule: PolicyVersion | None


class _Known:
    """What is known about some events."""

    def __init__(self, events: Sequence[Event], known: Answers) -> None:
        (
            users, groups, changes, units, endpoints, decisions, amounts, rules, reasons,
            comments, acts,
        ) = known  # fmt: skip
        self.users: Mapping[int, User] = _by_id(users)
        self.groups: Mapping[int, Group] = _by_id(groups)
        self.changes: Mapping[int, ProjectChange] = _by_id(changes)
        self.units: Mapping[int, Unit] = _by_id(units)
        self.endpoints: Mapping[str, Endpoint] = {each.slug: each for each in endpoints}
        rule_by_id: Mapping[int, PolicyVersion] = _by_id(rules)
        self.decisions = {
            pk: _Decided(pk, reason, rule_by_id.get(rule)) for pk, reason, rule in decisions
        }
        self.granted: dict[int, dict[str, int]] = {}
        for decision, slug, granted, endorsed in amounts:
            amount = endorsed if granted is None else granted
            if amount is not None:
                self.granted.setdefault(decision, {})[slug] = amount
        self.reasons: Mapping[int, str] = dict(reasons)
        self.comments = {
            (each.request_id, each.author_id, each.at): each.text for each in comments
        }  # fmt: skip
        self.acts = {(each.project_id, each.kind, each.at): each for each in acts}

    def told(self, event: Event) -> Told:
        act, change, decision = self._act(event), self._change(event), self._decision(event)
        rule = decision.rule if decision is not None else None
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
        decision: _Decided | None,
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
        self, event: Event, act: ProjectAct | None, decision: _Decided | None
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

    def _decision(self, event: Event) -> _Decided | None:
        is_request = event.subject_kind == "request"
        return self.decisions.get(event.data.get("decision", 0)) if is_request else None

    def _whom(self, event: Event) -> User | Group | None:
        if event.subject_kind == "user":
            return self.users.get(event.subject_id or 0)
        return self.groups.get(event.subject_id or 0) if event.subject_kind == "group" else None

    def _unit(self, event: Event) -> str:
        unit = self.units.get(event.data.get("after", 0)) if event.verb == "project moved" else None
        return unit.label if unit else ""


def _by_id(rows: Iterable[Any]) -> dict[int, Any]:
    return {each.pk: each for each in rows}
