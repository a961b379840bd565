"""What rules grant at once, in the transaction in which it is asked for.

A rule decides like the person in whose name it stands: by the same booking, the same proof and
the same delivery, within the bounds of the delegation that it stands on. Whatever keeps it from
granting is no error: the line waits for people, as if there were no rule.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import OperationalError
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, DomainError
from portal.lib.locks import refusal_of, share_rows
from quotas.models import Policy, PolicyVersion, QuotaRequest, RequestLine
from quotas.queries.conditions import Facts, is_about, judge
from quotas.queries.policies import left_to_people, rules_on
from quotas.queries.policy_facts import envelopes_of, facts_of
from quotas.states import LineState, PolicyState

from .decide import approve_by_policy
from .proof import Verdicts

logger = logging.getLogger(__name__)


def grant_at_once(quota_request: QuotaRequest, now: datetime) -> bool:
    """Let the rules that are on grant what they allow; whether any line still waits.

    What somebody asked back about, or endorsed, stays with people. The caller holds the project,
    its place and the request. Without a rule: one query.
    """
    versions = rules_on(quota_request.project.unit.path)
    if not versions:
        return True
    rows = RequestLine.objects.filter(request=quota_request, state=LineState.OPEN)
    lines = list(rows.select_related("offering__resource", "offering__zone").order_by("pk"))
    # Not by the version of the request: an endorsement leaves it as it is.
    theirs = left_to_people(lines)
    for_rules = [line for line in lines if line.pk not in theirs]
    still_waiting = grant_new(quota_request, versions, for_rules, now)
    return len(lines) > len(for_rules) - len(still_waiting)


def grant_new(
    quota_request: QuotaRequest,
    versions: Collection[PolicyVersion],
    lines: Sequence[RequestLine],
    now: datetime,
) -> list[RequestLine]:
    """`grant_at_once` for open lines that no person has looked at; those that still wait.

    versions: the nearest unit's first. Who asked for all or nothing gets all by one rule, or
    waits. One query where a rule is about a line and grants none.
    """
    waiting = {line.pk: line for line in lines}
    about = [
        each
        for each in versions
        if any(is_about(each, line.offering, _change(line)) for line in lines)
    ]
    if about:
        _grant(quota_request, about, waiting, now)
    return list(waiting.values())


def _change(line: RequestLine) -> int:
    """Which rules could be about it; what they judge is the quota of now."""
    return line.wanted - line.balance_seen


def _grant(
    quota_request: QuotaRequest,
    versions: Collection[PolicyVersion],
    waiting: dict[int, RequestLine],
    now: datetime,
) -> None:
    """Ask one rule after the other; what is granted waits no more."""
    wanted = {line.offering: line.wanted for line in waiting.values()}
    facts = facts_of(quota_request.project, wanted, versions, now)
    all_count = len(waiting)
    for version in versions:
        chosen = [
            line.pk
            for line in waiting.values()
            if _holds(version, facts[line.offering_id])
        ]  # fmt: skip
        if not chosen or (quota_request.all_or_nothing and len(chosen) < all_count):
            continue
        if version.policy.person_id == quota_request.requester_id:
            continue
        for line_id in _granted(quota_request, version, chosen, facts, now):
            del waiting[line_id]


def _holds(version: PolicyVersion, facts: Facts) -> bool:
    return is_about(version, facts.offering, facts.change) and judge(version, facts).holds


def _granted(
    quota_request: QuotaRequest,
    version: PolicyVersion,
    line_ids: list[int],
    facts: Mapping[int, Facts],
    now: datetime,
) -> list[int]:
    """All of them by one decision; where something stands in the way, those that can be had."""
    if _try(quota_request, version, line_ids, facts, now):
        return line_ids
    if len(line_ids) == 1 or quota_request.all_or_nothing:
        return []
    return [each for each in line_ids if _try(quota_request, version, [each], facts, now)]


def _try(
    quota_request: QuotaRequest,
    version: PolicyVersion,
    line_ids: list[int],
    facts: Mapping[int, Facts],
    now: datetime,
) -> bool:
    def confirm(lines: list[RequestLine]) -> Verdicts:
        return _confirm(version, quota_request, lines, facts)

    try:
        approve_by_policy(
            quota_request=quota_request, line_ids=line_ids, policy_version=version,
            confirm=confirm, now=now,
        )  # fmt: skip
    except OperationalError as error:
        if refusal_of(error) is None:
            raise
        return False
    except DomainError as refusal:
        logger.info("%s left lines %s to people: %s", version, line_ids, refusal.code)
        return False
    return True


def _confirm(
    version: PolicyVersion,
    quota_request: QuotaRequest,
    lines: list[RequestLine],
    facts: Mapping[int, Facts],
) -> Verdicts:
    """Judge again what others could change until everything was held; raises Conflict.

    The rule itself may have been switched off or revised, and others draw from the envelope.
    """
    held = share_rows(Policy.objects.filter(pk=version.policy_id).only("pk", "state", "version"))
    if [(each.state, each.version) for each in held] != [(PolicyState.ON, version.number)]:
        raise Conflict(_("The rule is not on any more."))
    current = {line.offering_id: facts[line.offering_id] for line in lines}
    if version.envelope_left_percent is not None:
        fills = envelopes_of(list(current), quota_request.project.unit.path)
        current = {pk: replace(each, envelope=fills.get(pk)) for pk, each in current.items()}
    verdicts = {line.pk: judge(version, current[line.offering_id]) for line in lines}
    if not all(each.holds for each in verdicts.values()):
        raise Conflict(_("The figures that the rule looks at have changed."))
    return {pk: [found.json for found in each.findings] for pk, each in verdicts.items()}
