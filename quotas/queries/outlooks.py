"""What the rules that are on would say of lines now: before sending, and while they wait.

Foretells what is decided at the moment of sending; nothing is held.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from projects.models import Project
from quotas.models import Offering, PolicyVersion

from .accounts import nearest_sources
from .conditions import Facts, Verdict, is_about, judge
from .deciders import Deciders
from .policies import rules_on
from .policy_facts import facts_of


@dataclass(frozen=True)
class Outlook:
    """What rules would say of one line if it were sent now.

    rule: the version that would grant it at once; None: it goes to people. verdicts: of each
    rule that is about it, the nearest first; obstacle: {version id: what else stands in the way
    of one that holds}: "authority", "room", or "together" where the rest waits by all or nothing;
    able: all that could grant it by itself.
    """

    rule: PolicyVersion | None
    verdicts: tuple[Verdict, ...]
    obstacles: Mapping[int, str]
    able: tuple[PolicyVersion, ...]


def outlooks(
    project: Project, wanted: Mapping[Offering, int], deciders: Mapping[int, Deciders],
    now: datetime, *, all_or_nothing: bool = False,
) -> dict[int, Outlook]:  # fmt: skip
    """{offering id: what the rules would say}; three queries, one where there is no rule.

    wanted: absolute limits in base units; deciders: by the offerings' ids; all_or_nothing: one
    rule grants all of it, or none does.
    """
    versions = rules_on(project.unit.path)
    if not versions or not wanted:
        return {}
    facts = facts_of(project, wanted, versions, now)
    paying = nearest_sources([each.pk for each in wanted], project.unit.path)
    free = dict(paying.values_list("offering", "balance"))
    found = {
        offering.pk: _outlook(
            versions, facts[offering.pk], deciders[offering.pk], free.get(offering.pk, 0)
        )
        for offering in wanted
    }
    return _together(found) if all_or_nothing else found


def _together(found: Mapping[int, Outlook]) -> dict[int, Outlook]:
    """By the first rule that could grant each of them; else none could any."""
    of_all = set.intersection(*({each.pk for each in one.able} for one in found.values()))
    together = {}
    for offering_id, one in found.items():
        rule = next((each for each in one.able if each.pk in of_all), None)
        alone = {each.pk: "together" for each in one.able if each.pk not in of_all}
        together[offering_id] = replace(one, rule=rule, obstacles={**one.obstacles, **alone})
    return together


def _outlook(
    versions: list[PolicyVersion], facts: Facts, deciders: Deciders, free: int
) -> Outlook:  # fmt: skip
    about = [each for each in versions if is_about(each, facts.offering, facts.change)]
    verdicts = tuple(judge(each, facts) for each in about)
    obstacles: dict[int, str] = {}
    able = []
    for verdict in verdicts:
        version = verdict.version
        if not verdict.holds:
            continue
        if not _is_able(version, facts, deciders):
            obstacles[version.pk] = "authority"
        elif facts.change > free:
            obstacles[version.pk] = "room"
        else:
            able.append(version)
    return Outlook(next(iter(able), None), verdicts, obstacles, tuple(able))


def _is_able(version: PolicyVersion, facts: Facts, deciders: Deciders) -> bool:
    """Whether its person may grant it by what it stands on, and has no part in it."""
    stands_on = version.policy.delegation_id
    if version.policy.person_id not in deciders.people.get(stands_on, ()):
        return False
    return any(
        each.allows(facts.offering, facts.change, deciders.used)
        for each in deciders.free
        if each.delegation.pk == stands_on
    )
