"""Endorsing: who may not grant as much says what they would grant, and it stays open.

The line goes on waiting for those who may decide it, who read the recommendation; it leaves
the queue of who endorsed it.
"""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Conflict, Invalid
from projects.actions.events import record
from projects.models import User
from projects.outgoing.notices import tell
from projects.states import NoticeKind
from quotas.models import Decision, DecisionKind, DecisionLine, QuotaRequest, RequestLine
from quotas.queries.accounts import balances
from quotas.queries.authority import Mandate
from quotas.queries.consumption import used_by
from quotas.queries.deciders import deciders_of
from quotas.queries.endorsements import endorsements_of
from quotas.states import LINE_MOVES, AssignmentKind, LineState

from .assigning import assign
from .authority import reaching
from .bench import Bench, take
from .proof import snapshot
from .watching import tell_followers
from .wishes import clean_text

VERB = "endorse"


def endorse(
    *,
    quota_request: QuotaRequest,
    endorsed: Mapping[int, int],
    version: int,
    reason: str = "",
    actor: User,
    now: datetime,
) -> Decision:
    """Recommend what to grant, to those who may decide.

    endorsed: {line id: absolute limit in base units}; version: of the request that the actor
    saw. Raises what decisions raise, and Conflict where the actor may grant a line as asked, or
    has endorsed it already.
    """
    cleaned = clean_text(reason, field="reason", required=False)
    with transaction.atomic():
        bench = take(quota_request, actor, now)
        lines = bench.chosen(list(endorsed), VERB)
        bench.check_version(version)
        bench.hold_authority()
        held = balances(bench.project, [line.offering_id for line in lines])
        _check_amounts(lines, endorsed, held)
        mandates = {line.pk: reaching(bench.mandates, line) for line in lines}
        _check_needed(bench, lines, mandates, held)
        decision = _store(bench, lines, mandates, endorsed, cleaned)
        event = record(
            "endorsed", actor=actor, now=now, project=bench.project, subject_kind="request",
            subject_id=bench.request.pk, decision=decision.pk, lines=[line.pk for line in lines],
        )  # fmt: skip
        deciders = deciders_of(lines, now)
        for line in lines:
            turns = [
                each
                for each in deciders[line.pk].turns(line.level)
                if each.kind == AssignmentKind.DECIDE
            ]
            tell(event, deciders[line.pk].people_of(turns), NoticeKind.ENDORSED)
        tell_followers(event, bench.request, NoticeKind.ENDORSED)
        assign([bench.request], now)
    return decision


def _check_amounts(
    lines: list[RequestLine], endorsed: Mapping[int, int], held: Mapping[int, int]
) -> None:
    errors = {}
    for line in lines:
        resource, amount = line.offering.resource, endorsed[line.pk]
        low = held.get(line.offering_id, 0)
        if not low < amount <= line.wanted or amount % resource.step:
            words = {
                "resource": resource.name,
                "zone": line.offering.zone.name,
                "low": format_amount(low, resource.quota_unit),
                "high": format_amount(line.wanted, resource.quota_unit),
                "step": format_amount(resource.step, resource.quota_unit),
            }
            sentence = _(
                "%(resource)s in %(zone)s: endorse more than %(low)s, the quota now, and at most "
                "%(high)s, what was asked for, in steps of %(step)s."
            )
            errors[f"endorsed.{line.pk}"] = [sentence % words]
    if errors:
        raise Invalid(errors)


def _check_needed(
    bench: Bench,
    lines: list[RequestLine],
    mandates: Mapping[int, list[Mandate]],
    held: Mapping[int, int],
) -> None:
    """Who may grant it decides; and nobody says the same twice."""
    used = used_by(
        bench.mandates, bench.project, [line.offering for line in lines], bench.viewer.now
    )
    said = endorsements_of(lines)
    for line in lines:
        increase = line.wanted - held.get(line.offering_id, 0)
        words = {"resource": line.offering.resource.name, "zone": line.offering.zone.name}
        if any(each.allows(line.offering, increase, used) for each in mandates[line.pk]):
            raise Conflict(
                _("You may grant %(resource)s in %(zone)s as asked: decide it yourself.") % words,
                line=line.pk,
            )
        if any(each.person.pk == bench.viewer.user.pk for each in said.get(line.pk, ())):
            raise Conflict(
                _("You have endorsed %(resource)s in %(zone)s already.") % words, line=line.pk
            )


def _store(
    bench: Bench,
    lines: list[RequestLine],
    mandates: Mapping[int, list[Mandate]],
    endorsed: Mapping[int, int],
    reason: str,
) -> Decision:
    after = LINE_MOVES[LineState.OPEN, VERB]
    ids = [line.pk for line in lines]
    still_open = RequestLine.objects.filter(pk__in=ids, state=LineState.OPEN)
    if still_open.update(state=after) != len(ids):
        raise Conflict(_("Somebody else was first. Look again."))
    # What was asked for is as it was: who has the page open need not look again.
    QuotaRequest.objects.filter(pk=bench.request.pk).update(updated_at=bench.viewer.now)
    chosen = {line.pk: mandates[line.pk][0] for line in lines}
    decision = Decision.objects.create(
        request=bench.request,
        kind=DecisionKind.ENDORSE,
        actor=bench.actor,
        person=bench.viewer.user,
        reason=reason,
        snapshot=snapshot(bench, lines, chosen, None),
        at=bench.viewer.now,
    )
    DecisionLine.objects.bulk_create(
        DecisionLine(
            decision=decision,
            line=line,
            delegation=chosen[line.pk].delegation,
            endorsed=endorsed[line.pk],
        )
        for line in lines
    )
    return decision
