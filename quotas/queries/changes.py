"""What changed within a part of the record: for each noun, the events that change what it shows.

A row is told rather once too often than never. What passes by itself is no event and told by
nobody: that a date came, that a target is in work, that somebody has another name.
"""

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BigIntegerField, Exists, Func, OuterRef, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from portal.lib.lookups import is_among, is_below
from projects.models import Delegation, Event, Membership, Project, ProjectChange, Unit
from projects.queries.events import Window, events_in
from quotas.models import (
    Account,
    DecisionLine,
    Delivery,
    EnvelopeAct,
    Policy,
    RequestLine,
    Target,
    Transfer,
)

# After these a project has another quota, and its targets another generation.
QUOTA_MOVED = ("approved",)
ROLES_CHANGED = ("role given", "role ended")
# After these a unit, and all below it, has another path or none to be found by.
UNITS_MOVED = ("unit moved", "unit retired")


def changed_requests(window: Window) -> Q:
    """Their own acts, how far their deliveries are, and the quota that their lines start from.

    Drafts are not told of: they are their writer's alone.
    """
    events = events_in(window)
    own = _subjects(events, "request")
    delivered = Delivery.objects.filter(is_among("target", _subjects(events, "target")))
    return Q(submitted_at__isnull=False) & is_any_of(
        own,
        delivered.values("decision_line__line__request"),
        _sharing_quota(events).values("request"),
    )


def _sharing_quota(events: QuerySet[Event]) -> QuerySet[RequestLine]:
    """Lines for an offering of which their project was just given another quota."""
    moved = events.filter(verb__in=QUOTA_MOVED, subject_kind="request")
    decided = RequestLine.objects.filter(
        is_among("request", moved.values("subject_id")),
        project=OuterRef("project"), offering=OuterRef("offering"),
    )  # fmt: skip
    return RequestLine.objects.filter(Exists(decided), is_among("project", moved.values("project")))


def changed_decisions(window: Window) -> Q:
    """Those that were made: a decision never changes."""
    return is_any_of(_decisions(events_in(window)))


def changed_projects(window: Window) -> Q:
    """Their own acts, who has which role in them, and where their unit stands."""
    events = events_in(window)
    roles = events.filter(verb__in=ROLES_CHANGED)
    of_groups = Membership.objects.filter(is_among("group", _subjects(events, "group")))
    moved = Project.objects.filter(is_among("unit", _moved_units(events)))
    return is_any_of(
        _subjects(events, "project"),
        roles.values("project"),
        of_groups.values("project"),
        moved.values("pk"),
    )


def changed_changes(window: Window) -> Q:
    """Those that were asked for, answered or lapsed, and those of a project that is renamed."""
    events = events_in(window)
    renamed = _subjects(events.filter(verb="project renamed"), "project")
    of_projects = ProjectChange.objects.filter(is_among("project", renamed))
    return is_any_of(_subjects(events, "project_change"), of_projects.values("pk"))


def changed_members(window: Window) -> Q:
    """Roles that were given or ended: those of whoever the act was about, in that project."""
    acts = events_in(window).filter(verb__in=ROLES_CHANGED)
    theirs = [
        acts.filter(subject_kind=kind, subject_id=OuterRef(kind), project=OuterRef("project"))
        for kind in ("user", "group")
    ]
    changed = Membership.objects.filter(
        Exists(theirs[0]) | Exists(theirs[1]), is_among("project", acts.values("project"))
    )
    return is_any_of(changed.values("pk"))


def changed_groups(window: Window) -> Q:
    """Their own acts: other people, another name."""
    return is_any_of(_subjects(events_in(window), "group"))


def changed_units(window: Window) -> Q:
    """Their own acts; those below one that was moved have another path."""
    events = events_in(window)
    return is_any_of(_subjects(events, "unit"), _moved_units(events))


def changed_transfers(window: Window) -> Q:
    """Those that were posted, by whatever was decided or done: a transfer never changes."""
    events = events_in(window)
    decided = DecisionLine.objects.filter(is_among("decision", _decisions(events)))
    acts = _subjects(events, "envelope_act")
    done = Transfer.objects.filter(is_among("project_act", _project_acts(events)))
    return is_any_of(
        _subjects(events, "transfer"),
        done.values("pk"),
        Transfer.objects.filter(is_among("decision_line", decided.values("pk"))).values("pk"),
        Transfer.objects.filter(is_among("envelope_act", acts)).values("pk"),
    )


def changed_accounts(window: Window) -> Q:
    """Those that something moved into or out of, and those that were opened."""
    events = events_in(window)
    moved = Transfer.objects.filter(changed_transfers(window))
    acts = EnvelopeAct.objects.filter(is_among("pk", _subjects(events, "envelope_act")))
    decided = RequestLine.objects.filter(
        is_among(
            "pk",
            DecisionLine.objects.filter(is_among("decision", _decisions(events))).values("line"),
        )
    )
    return is_any_of(
        moved.values("debit"),
        moved.values("credit"),
        _opened(acts, "unit").values("pk"),
        _opened(decided, "project").values("pk"),
    )


def _opened(rows: "QuerySet[Any]", holder: str) -> QuerySet[Account]:
    """The accounts of the holders and offerings that these rows name."""
    same = rows.filter(**{holder: OuterRef(holder), "offering": OuterRef("offering")})
    return Account.objects.filter(Exists(same), is_among(holder, rows.values(holder)))


def changed_delegations(window: Window) -> Q:
    """Their own acts and those on a link above them; where their unit stands."""
    return is_any_of(*_delegations(events_in(window)))


def changed_policies(window: Window) -> Q:
    """Their own acts, and those on what they stand on."""
    events = events_in(window)
    standing = [
        Policy.objects.filter(is_among("delegation", each)).values("pk")
        for each in _delegations(events)
    ]
    return is_any_of(_subjects(events, "policy"), *standing)


def changed_targets(window: Window) -> Q:
    """What came of them, what people did about them, and what became theirs to make true.

    Not each look at them: when they were last seen, and tried, passes by itself.
    """
    events = events_in(window)
    moved = events.filter(verb__in=QUOTA_MOVED).values("project")
    theirs = Target.objects.filter(is_among("project", moved)).values("pk")
    return is_any_of(_subjects(events, "target"), theirs)


def changed_drift(window: Window) -> Q:
    """Found, put right, ignored, adopted or gone."""
    return is_any_of(_subjects(events_in(window), "drift"))


def changed_acts(window: Window) -> Q:
    """What was done to envelopes: an act never changes."""
    return is_any_of(_subjects(events_in(window), "envelope_act"))


def is_any_of(*ids: "QuerySet[Any, Any]") -> Q:
    """The condition on a row that its key is in one of these, each of one column."""
    first, *others = (each.order_by() for each in ids)
    return Q(is_among("pk", first.union(*others) if others else first))


def _decisions(events: QuerySet[Event]) -> "QuerySet[Any, Any]":
    made = events.filter(data__has_key="decision")
    number = Cast(KeyTextTransform("decision", "data"), BigIntegerField())
    return made.annotate(number=number).values("number")


def _project_acts(events: QuerySet[Event]) -> "QuerySet[Any, Any]":
    """Of what moved a project's quota without a decision."""
    made = events.filter(data__has_key="act", subject_kind="project")
    number = Cast(KeyTextTransform("act", "data"), BigIntegerField())
    return made.annotate(number=number).values("number")


def _subjects(events: QuerySet[Event], kind: str) -> "QuerySet[Any, Any]":
    return events.filter(subject_kind=kind).values("subject_id")


def _delegations(events: QuerySet[Event]) -> "list[QuerySet[Any, Any]]":
    acts, moved = _subjects(events, "delegation"), _moved_units(events)
    return [
        acts,
        Delegation.objects.filter(ancestors__overlap=ArraySubquery(acts)).values("pk"),
        Delegation.objects.filter(is_among("unit", moved)).values("pk"),
    ]


def _moved_units(events: QuerySet[Event]) -> "QuerySet[Any, Any]":
    """The ids of units that were moved, and of all below them, each found by the path above."""
    acts = _subjects(events.filter(verb__in=UNITS_MOVED), "unit")
    below = ArraySubquery(Unit.objects.filter(is_below("path", OuterRef("path"))).values("pk"))
    moved = Unit.objects.filter(is_among("pk", acts))
    return moved.values(there=Func(below, function="unnest", output_field=BigIntegerField()))
