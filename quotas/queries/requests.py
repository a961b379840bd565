"""Which requests a person may see, and what they are called."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from portal.lib.lookups import is_among, is_of
from projects.models import Membership, in_force
from projects.queries.viewers import Viewer, of_visible_projects
from projects.states import ROLES_ABOVE_READER
from quotas.models import Assignment, Delivery, QuotaRequest, RequestLine
from quotas.states import PENDING, LineState, RequestState, TargetState, request_state

# A delivery that is neither read back nor left out: something is still to happen.
UNDELIVERED = Q(applied_at__isnull=True, left_out_at__isnull=True)


def visible_requests(viewer: Viewer) -> QuerySet[QuotaRequest]:
    """Requests of the projects that a person may see; drafts only for their writer."""
    return (
        QuotaRequest.objects.filter(of_visible_projects(viewer))
        .filter(Q(submitted_at__isnull=False) | Q(requester=viewer.user))
        .select_related("project__unit", "requester", "asked_by")
    )


def pending_requests(requests: QuerySet[QuotaRequest]) -> QuerySet[QuotaRequest]:
    """Those with a line that waits for somebody."""
    waiting = RequestLine.objects.filter(request=OuterRef("pk"), state__in=PENDING)
    return requests.filter(Exists(waiting))


@dataclass(frozen=True)
class Asker:
    """Who looks into a queue and when, as conditions: of a viewer, or with slots for their values.

    own: on a row with `user` and `group` that it names the person; through: on an assignment that
    it rests on a delegation which they hold now; here: that one may act there; values: these, for
    SQL of its own, as `values_of`.
    """

    user: Any
    now: Any
    own: Q
    through: Q
    values: Mapping[str, Any]
    here: Q = field(default_factory=Q)

    @classmethod
    def of(cls, viewer: Viewer) -> "Asker":
        held = [each.pk for each in viewer.delegations]
        here = viewer.here("line__project__")
        return cls(
            viewer.user, viewer.now, viewer.own(), Q(delegation__in=held), values_of(viewer), here
        )

    @classmethod
    def slots(cls, *, user: Any, groups: Any, held: Any, now: Any) -> "Asker":
        """groups, held: arrays of ids; no service account, which has a place."""
        own = Q(user=user) | Q(is_of("group", groups))
        values = {"user": user, "groups": groups, "held": held, "now": now}
        return cls(user, now, own, Q(is_of("delegation", held)), values)


def values_of(viewer: Viewer) -> dict[str, Any]:
    """What fills the slots of `Asker.slots`."""
    held = [each.pk for each in viewer.delegations]
    groups = sorted(viewer.group_ids)
    return {"user": viewer.user.pk, "groups": groups, "held": held, "now": viewer.now}


def assignments_of(asker: Asker, task: str = "") -> QuerySet[Assignment]:
    """What the asker is asked to decide or endorse now; task: one of AssignmentKind, or both."""
    mine = Assignment.objects.filter(asker.own, asker.here, in_force(asker.now), asker.through)
    return mine.filter(kind=task) if task else mine


def assigned_lines(viewer: Viewer, task: str = "") -> QuerySet[RequestLine]:
    """The open lines that wait for this person, directly or through a group, at `now`.

    Not those that they asked for, nor of projects in which they hold a role: others of the
    group decide them.
    """
    return lines_for(Asker.of(viewer), task)


def lines_for(asker: Asker, task: str = "") -> QuerySet[RequestLine]:
    """`assigned_lines`, of an asker: found from their assignments."""
    assigned = assignments_of(asker, task).values("line")
    return _of_others(asker, RequestLine.objects.filter(is_among("pk", assigned)))


def lines_among(asker: Asker, requests: Any) -> QuerySet[RequestLine]:
    """`lines_for` of some requests, an array of ids: found from these, however much waits."""
    assigned = assignments_of(asker).filter(line=OuterRef("pk"))
    of_them = RequestLine.objects.filter(is_of("request", requests), Exists(assigned))
    return _of_others(asker, of_them)


def _of_others(asker: Asker, lines: QuerySet[RequestLine]) -> QuerySet[RequestLine]:
    """The open ones that the person has no part in; where they have one is found once."""
    involved = Membership.objects.filter(
        asker.own, in_force(asker.now), role__in=ROLES_ABOVE_READER
    ).values("project")
    return lines.filter(
        ~Q(is_among("project", involved)),
        ~Q(request__requester=asker.user),
        # Nobody wrote most of them in another's name.
        Q(request__asked_by__isnull=True) | ~Q(request__asked_by=asker.user),
        state=LineState.OPEN,
    )


def queue(viewer: Viewer) -> QuerySet[QuotaRequest]:
    """The requests with a line that waits for this person, the oldest first."""
    return (
        QuotaRequest.objects.filter(is_among("pk", assigned_lines(viewer).values("request")))
        .select_related("project__unit", "requester", "asked_by")
        .order_by("submitted_at", "pk")
    )


def state_from(line_states: Sequence[str], deliveries: Collection[Delivery]) -> RequestState:
    """The state of a request, from its lines and deliveries as they were read; no query.

    deliveries: with their targets.
    """
    open_ones = [
        each for each in deliveries if each.applied_at is None and each.left_out_at is None
    ]
    is_applied = any(each.applied_at is not None for each in deliveries)
    return request_state(
        line_states,
        undelivered_count=len(open_ones),
        refused_count=sum(each.target.state == TargetState.REFUSED for each in open_ones),
        is_left_out=not is_applied and any(each.left_out_at is not None for each in deliveries),
    )


def states_of(requests: Iterable[QuotaRequest]) -> dict[int, RequestState]:
    """{request id: its state}, from two queries for any number of requests."""
    ids = [each.pk for each in requests]
    line_states: dict[int, list[str]] = {each: [] for each in ids}
    for request_id, state in RequestLine.objects.filter(request__in=ids).values_list(
        "request", "state"
    ):
        line_states[request_id].append(state)
    deliveries = {
        request_id: (count, refused, not applied and left_out > 0)
        for request_id, count, refused, applied, left_out in Delivery.objects.filter(
            decision_line__decision__request__in=ids
        )
        .values_list("decision_line__decision__request")
        .annotate(
            count=Count("pk", filter=UNDELIVERED),
            refused=Count("pk", filter=UNDELIVERED & Q(target__state=TargetState.REFUSED)),
            applied=Count("applied_at"),
            left_out=Count("left_out_at"),
        )
    }
    found = {}
    for each in ids:
        count, refused, is_left_out = deliveries.get(each, (0, 0, False))
        found[each] = request_state(
            line_states[each],
            undelivered_count=count,
            refused_count=refused,
            is_left_out=is_left_out,
        )
    return found
