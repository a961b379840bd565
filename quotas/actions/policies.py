"""The verbs of those who make rules: make, revise, switch on, switch off.

A rule stands on a delegation of whoever makes it, and never goes beyond what that allows. A
version never changes, and nor does the person in whose name a rule grants: who holds the same
authority through a group makes one of their own.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.amounts import MAX_AMOUNT, format_amount
from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import Delegation, ProjectKind, Unit, User
from projects.queries.viewers import Viewer
from quotas.models import Offering, Policy, PolicyVersion, Resource, Zone
from quotas.queries.authority import Mandate, mandate_of
from quotas.queries.policies import standing_delegations
from quotas.rules import may_change_policy, may_switch_off
from quotas.states import POLICY_MOVES, Direction, PolicyState

from .wishes import clean_text

MAX_NAME = 200
MAX_PERCENT = 1000
MAX_DAYS = 3660
MAX_RULES = 50  # of one unit: more than anybody could keep in mind
SHARES = ("envelope_left_percent", "zone_left_percent", "usage_above_percent")


@dataclass(frozen=True)
class Terms:
    """What a rule says; None or blank: no such condition. Amounts in base units."""

    direction: str = Direction.INCREASE
    resource: Resource | None = None
    zone: Zone | None = None
    project_kind: str = ""
    most_percent: int | None = None
    most_amount: int | None = None
    every_days: int | None = None
    envelope_left_percent: int | None = None
    zone_left_percent: int | None = None
    usage_above_percent: int | None = None

    def as_version(
        self, policy: Policy, number: int, made_by: User, now: datetime
    ) -> PolicyVersion:
        """The version, not stored yet."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return PolicyVersion(policy=policy, number=number, made_by=made_by, made_at=now, **fields)


def make(
    *,
    unit: Unit,
    name: str,
    terms: Terms,
    delegation: Delegation | None = None,
    actor: User,
    now: datetime,
) -> Policy:
    """Write a rule for a unit and all below it, as a draft.

    delegation: one of the actor's, on which it stands; None: the nearest to the unit. Raises
    Forbidden, and Invalid with every error by field (facts of what goes beyond the delegation:
    dimension, most).
    """
    with transaction.atomic():
        stands_on = choose_delegation(Viewer.of(actor, now), unit, delegation)
        check_terms(terms, stands_on, name=name)
        if unit.retired_at is not None:
            raise Conflict(_("%(unit)s is retired.") % {"unit": unit.label})
        if Policy.objects.filter(unit=unit).count() >= MAX_RULES:
            words = {"unit": unit.label, "most": MAX_RULES}
            raise Conflict(_("%(unit)s has %(most)s rules; revise one of them.") % words)
        policy = Policy.objects.create(
            unit=unit, delegation=stands_on, person=actor, name=_clean_name(name), created_at=now
        )
        terms.as_version(policy, 1, actor, now).save()
        _note("policy made", policy, actor, now)
    return policy


def revise(
    *, policy: Policy, name: str, terms: Terms, version: int, actor: User, now: datetime
) -> Policy:
    """Let a rule say something else from now on; what was decided keeps the version it cites.

    version: the newest that the actor saw. Raises Forbidden, Stale, Invalid. A rule that is on
    stays on.
    """
    with transaction.atomic():
        locked = _lock(policy, actor, now, version)
        check_terms(terms, locked.delegation, name=name)
        _move(locked, "revise", version=F("version") + 1, name=_clean_name(name))
        terms.as_version(locked, version + 1, actor, now).save()
        _note("policy revised", locked, actor, now, version=version + 1)
    return _again(locked)


def switch_on(*, policy: Policy, version: int, actor: User, now: datetime) -> Policy:
    """Let a rule grant what it allows, in the name of its person, who is the actor.

    version: the one whose replay the actor saw. Raises Forbidden, Stale, Conflict, Invalid.
    """
    with transaction.atomic():
        locked = _lock(policy, actor, now, version)
        if locked.unit.retired_at is not None:
            raise Conflict(_("%(unit)s is retired.") % {"unit": locked.unit.label})
        newest = locked.versions.select_related("resource", "zone").get(number=version)
        check_terms(terms_of(newest), locked.delegation, name=locked.name)
        _move(locked, "switch on")
        _note("policy switched on", locked, actor, now, version=version)
    return _again(locked)


def switch_off(*, policy: Policy, version: int | None = None, actor: User, now: datetime) -> Policy:
    """Stop a rule: its person, whoever holds its delegation, or a link above that one.

    Waits for what is being granted by it; nothing is afterwards. version: that the actor saw;
    None: any. Raises Forbidden, Stale, Conflict.
    """
    with transaction.atomic():
        locked = _locked(policy)
        if not may_switch_off(Viewer.of(actor, now), locked):
            raise Forbidden(
                _("Only %(person)s, or whoever the authority comes from, can switch it off.")
                % {"person": locked.person}
            )
        if version is not None:
            _check_version(locked, version)
        _move(locked, "switch off")
        _note("policy switched off", locked, actor, now, version=locked.version)
    return _again(locked)


def choose_delegation(viewer: Viewer, unit: Unit, wanted: Delegation | None) -> Delegation:
    """The delegation that a rule for the unit stands on; raises Forbidden where there is none."""
    held = standing_delegations(viewer, unit)
    found = next((each for each in held if wanted is None or each.pk == wanted.pk), None)
    if found is None:
        words = {"unit": unit.label}
        raise Forbidden(
            _("You hold no delegation that lets you decide quota for %(unit)s.") % words,
            unit=unit.slug,
        )
    return found


def terms_of(version: PolicyVersion) -> Terms:
    """What a version says, to be checked or changed."""
    return Terms(**{name: getattr(version, name) for name in Terms.__dataclass_fields__})


def check_terms(terms: Terms, delegation: Delegation, *, name: str) -> None:
    """Raise Invalid with everything that is wrong with a rule on that delegation."""
    errors: dict[str, list[str]] = {}
    facts: dict[str, Any] = {}
    try:
        _clean_name(name)
    except Invalid as error:
        errors.update(error.errors)
    _check_shape(terms, errors)
    _check_ranges(terms, errors)
    if not errors:
        facts = _beyond(terms, mandate_of(delegation), errors)
    if errors:
        raise Invalid(errors, **facts)


def _check_shape(terms: Terms, errors: dict[str, list[str]]) -> None:
    if terms.direction not in Direction.values:
        errors["direction"] = [_("Choose increases or decreases.")]
        return
    if terms.project_kind and terms.project_kind not in ProjectKind.values:
        errors["project_kind"] = [_("There is no such kind of project.")]
    given = {name for name, value in _fields(terms).items() if value is not None}
    if terms.direction == Direction.DECREASE:
        of_increases = {"most_percent", "most_amount", "every_days", *SHARES}
        for field_name in sorted(given & of_increases):
            errors[field_name] = [
                _("Decreases are granted always; this is for increases. Leave it empty.")
            ]
        return
    if terms.most_percent is None and terms.most_amount is None:
        errors["most_percent"] = [_("Say by how much at most: a share of the quota, or an amount.")]
    if terms.most_amount is not None and terms.resource is None:
        errors["most_amount"] = [_("An amount is of one resource: choose which.")]


def _fields(terms: Terms) -> dict[str, Any]:
    """The fields by name; `dataclasses.asdict` would copy the rows."""
    return {name: getattr(terms, name) for name in terms.__dataclass_fields__}


def _check_ranges(terms: Terms, errors: dict[str, list[str]]) -> None:
    ranges = {
        "most_percent": (1, MAX_PERCENT), "every_days": (1, MAX_DAYS),
        **dict.fromkeys(SHARES, (0, 99)),
    }  # fmt: skip
    for field_name, (least, most) in ranges.items():
        value = getattr(terms, field_name)
        if value is not None and not least <= value <= most:
            words = {"least": least, "most": most}
            errors.setdefault(field_name, []).append(
                _("Give a whole number from %(least)s to %(most)s.") % words
            )
    amount, resource = terms.most_amount, terms.resource
    if amount is None or resource is None:
        return
    if not 0 < amount <= MAX_AMOUNT or amount % resource.step:
        words_of_step = {"step": format_amount(resource.step, resource.unit)}
        errors.setdefault("most_amount", []).append(
            _("Give an amount above zero, in steps of %(step)s.") % words_of_step
        )


def _beyond(terms: Terms, mandate: Mandate, errors: dict[str, list[str]]) -> dict[str, Any]:
    """Note what the delegation does not allow; its facts: dimension, most, offering.

    A share has no figure yet: what goes beyond when it is asked for waits for people.
    """
    offerings = _offerings(terms)
    reached = [each for each in offerings if mandate.reaches(each)]
    is_named = terms.resource is not None or terms.zone is not None
    if not reached or (is_named and len(reached) < len(offerings)):
        missing = next((each for each in offerings if each not in reached), None)
        field_name = "zone" if terms.zone else "resource"
        words = _names(missing) if missing else {"resource": _("this"), "zone": _("that zone")}
        errors[field_name] = [
            _("%(delegation)s says nothing about %(resource)s in %(zone)s.")
            % (words | {"delegation": mandate.delegation})
        ]
        return {"dimension": "bounds", "most": 0, "offering": missing.slug if missing else None}
    if terms.most_amount is None:
        return {}
    for offering in reached:
        most = mandate.most(offering)
        if most.amount is not None and terms.most_amount > most.amount:
            errors["most_amount"] = [_beyond_words(most.dimension, most.amount, offering, mandate)]
            return {"dimension": most.dimension, "most": most.amount, "offering": offering.slug}
    return {}


def _beyond_words(dimension: str, most: int, offering: Offering, mandate: Mandate) -> str:
    words = _names(offering) | {
        "most": format_amount(most, offering.resource.unit),
        "delegation": str(mandate.delegation),
    }
    if dimension == "total":
        return (
            _("%(delegation)s allows %(most)s of %(resource)s in %(zone)s in all: no more here.")
            % words
        )
    return (
        _("%(delegation)s allows %(most)s of %(resource)s in %(zone)s per decision: no more here.")
        % words
    )


def _offerings(terms: Terms) -> list[Offering]:
    """What is offered now that such a rule is about."""
    rows = Offering.objects.filter(retired_at__isnull=True).select_related("resource", "zone")
    if terms.resource is not None:
        rows = rows.filter(resource=terms.resource)
    if terms.zone is not None:
        rows = rows.filter(zone=terms.zone)
    return list(rows.order_by("slug"))


def _names(offering: Offering) -> dict[str, Any]:
    return {"resource": offering.resource.name, "zone": offering.zone.name}


def _clean_name(name: str) -> str:
    return clean_text(name, field="name", required=True, most=MAX_NAME)


def _locked(policy: Policy) -> Policy:
    """The rule, held: who grants by it is waited for, and waits."""
    lock(Policy.objects.filter(pk=policy.pk))
    return _again(policy)


def _lock(policy: Policy, actor: User, now: datetime, version: int) -> Policy:
    """`_locked` for who stands behind it; raises Forbidden, Stale."""
    locked = _locked(policy)
    if not may_change_policy(Viewer.of(actor, now), locked):
        words = {"delegation": str(locked.delegation), "person": locked.person}
        raise Forbidden(
            _("It stands on %(delegation)s of %(person)s, who alone can change it.") % words
        )
    _check_version(locked, version)
    return locked


def _check_version(policy: Policy, version: int) -> None:
    if policy.version != version:
        raise Stale(
            _("Somebody has revised this rule since you opened it. Look again."),
            version=policy.version,
        )


def _again(policy: Policy) -> Policy:
    return Policy.objects.select_related("unit", "person", "delegation__unit").get(pk=policy.pk)


def _move(policy: Policy, verb: str, **fields: Any) -> None:
    """Raise Conflict where the verb is not legal now."""
    after = POLICY_MOVES.get((PolicyState(policy.state), verb))
    if after is None:
        words = {"rule": str(policy), "state": policy.get_state_display()}
        raise Conflict(_("%(rule)s is %(state)s already.") % words, state=policy.state)
    moved = Policy.objects.filter(pk=policy.pk, state=policy.state)
    if not moved.update(state=after, **fields):
        raise Conflict(_("Somebody else was first. Look again."))


def _note(verb: str, policy: Policy, actor: User, now: datetime, **data: Any) -> None:
    record(
        verb, actor=actor, now=now, unit=policy.unit, subject_kind="policy",
        subject_id=policy.pk, **data,
    )  # fmt: skip
