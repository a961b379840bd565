"""An import from beginning to end: scan, compare, then take over project by project.

First everything is looked at and what was read is put aside in a file that nobody else sees, so
that memory stays bounded; then, unless it is a dry run, each project is taken over by itself.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import IO, Any

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from portal.lib.alone import alone
from portal.lib.errors import Conflict, DomainError
from portal.lib.locks import refusal_of
from projects.actions.people import make_user
from projects.actions.units import take_unit
from projects.models import Project, Unit, User, ancestor_paths
from projects.states import Role
from quotas.actions import envelopes, ledger
from quotas.backends.base import HolderKind
from quotas.backends.errors import BackendError
from quotas.delivery.clouds import identity_driver
from quotas.delivery.finding import store
from quotas.delivery.permits import Busy
from quotas.models import Endpoint
from quotas.queries.identity_rules import rule_for

from .answers import Answers
from .applying import Import, answer_kept, take_over
from .asking import Asking
from .comparing import compare_plan, found_of, shortfalls
from .contradictions import Contradiction, shown
from .people import rules_of
from .planning import Planner
from .plans import Plan, Verdict
from .room import Room, Shortfall
from .scanning import Read, Reader, scan_identity
from .shape import Shape

# Any number that no other advisory lock of ours has.
ONE_AT_A_TIME = 7_264_102_933
# The database may need a moment to see that the last one was killed.
LOCK_SECONDS = 10.0
Tell = Callable[[str, int, int], None]


@dataclass
class Looked:
    """What a cloud says, beside what Remit could make of it. changes: {limit's name: how many
    projects' limits an answer has written}; notes: what is no contradiction and worth a line."""

    plans: list[Plan] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)
    found: list[Shortfall] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def unanswered(self) -> list[Contradiction]:
        return [each for each in self.contradictions if not each.is_answered]

    def count(self, verdict: Verdict) -> int:
        return sum(each.verdict == verdict for each in self.plans)


@dataclass
class Applied:
    """What a run did. failed: {project's label: why it was not taken over}; untagged: projects
    of ours whose tag Keystone has not taken."""

    imported: int = 0
    answered: int = 0
    balances: int = 0
    kept: int = 0
    tagged: int = 0
    people: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    untagged: dict[str, str] = field(default_factory=dict)

    @property
    def is_nothing(self) -> bool:
        return not (self.imported or self.answered or self.tagged or self.people)


class Importer:
    """One run over some identity endpoints and their services."""

    def __init__(
        self,
        identities: Collection[Endpoint],
        services: Collection[Endpoint],
        shape: Shape,
        answers: Answers,
        *,
        actor: User | None,
        workers: int = 1,
        tell: Tell,
    ) -> None:
        self.identities = {each.pk: each for each in identities}
        self.services: dict[int, list[Endpoint]] = {}
        for each in services:
            if each.identity_id is not None:
                self.services.setdefault(each.identity_id, []).append(each)
        self.shape = shape
        self.answers = answers
        self.actor = actor
        self.tell = tell
        self.asking = Asking()
        self.reader = Reader(shape, self.asking, workers)
        self.room = Room(shape, answers)
        self.spool: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - close()
        self.looked = Looked()
        # Accounts that this run made, by issuer and name.
        self.made: dict[tuple[str, str], User] = {}

    def close(self) -> None:
        self.spool.close()

    # --- Looking --------------------------------------------------------------------------

    def look(self) -> Looked:
        """Read everything and compare; nothing is written. Raises BackendError, Busy where an
        identity service does not answer."""
        found = []
        for number, identity in enumerate(self.identities.values()):
            self.tell("identity services read", number, len(self.identities))
            found.append(scan_identity(identity, self.asking, rules_of(identity)))
        planner = Planner(found, self.answers)
        self.planner = planner
        plans = self.looked.plans = list(planner.plans())
        to_read = [each for each in plans if each.is_to_be_read]
        if any(each.verdict == Verdict.NEW for each in to_read):
            self.reader.survey([each for rows in self.services.values() for each in rows])
        places = (planner.endpoints_of(self.services, each) for each in to_read)
        for number, (plan, read) in enumerate(
            zip(to_read, self.reader.read_all(places), strict=True)
        ):
            self.tell("projects read", number, len(to_read))
            self.spool.write(json.dumps(read.as_json()) + "\n")
            self._compare(plan, read)
        self.tell("projects read", len(to_read), len(to_read))
        self.looked.contradictions += planner.general()
        self.looked.contradictions += shortfalls(self.room)
        self.looked.found = self.room.to_find()
        self._note(found)
        return self.looked

    def _compare(self, plan: Plan, read: Read) -> None:
        compared = compare_plan(self.shape, self.answers, plan, read)
        self.looked.contradictions += plan.contradictions + compared.contradictions
        if plan.verdict == Verdict.NEW and read.failed:
            plan.verdict = Verdict.BLOCKED
        if plan.unit is None or plan.verdict not in (Verdict.NEW, Verdict.OURS):
            return
        self.looked.changes.update(each.managed.name for each in compared.result.changes.values())
        self.room.draw(plan.unit, compared.to_draw, plan.label)

    def _note(self, found: Collection[Any]) -> None:
        for each in found:
            if each.is_cut:
                self.looked.notes.append(
                    f"{each.endpoint.slug} listed only {len(each.projects):,} of its projects: "
                    "its list_limit cuts the list, and what it did not list is not taken over."
                )
        if len(found) > 1:
            partial = [
                each
                for each in self.looked.plans
                if each.verdict == Verdict.NEW and len(each.candidate.everywhere) < len(found)
            ]
            if partial:
                self.looked.notes.append(
                    "Projects that are not in every identity service, and that workers will make "
                    f"where they are not: {len(partial):,}."
                )

    # --- Taking over ----------------------------------------------------------------------

    def apply(self) -> Applied:
        """Take over what can be, by itself each; what fails is named and left for another run."""
        done = Applied()
        plans = self.looked.plans
        self._make_people(done)
        self._find_room()
        self.spool.seek(0)
        to_read = [each for each in plans if each.is_to_be_read or each.verdict == Verdict.BLOCKED]
        for number, (plan, read) in enumerate(zip(to_read, self._spooled(), strict=True)):
            self.tell("projects taken over", number, len(to_read))
            if plan.verdict in (Verdict.NEW, Verdict.OURS):
                self._take(plan, read, done)
        self.tell("projects taken over", len(to_read), len(to_read))
        untagged = [each for each in plans if each.untagged]
        for number, plan in enumerate(untagged):
            self.tell("tags put", number, len(untagged))
            if plan.candidate.project is not None:
                self._tag(plan, plan.candidate.project, plan.untagged, done)
        return done

    def _spooled(self) -> Iterator[Read]:
        for line in self.spool:
            yield Read.of_json(json.loads(line))

    def _make_people(self, done: Applied) -> None:
        """Accounts for those whom nobody here is known to be, where the answers say so."""
        plans = [each for each in self.looked.plans if each.verdict == Verdict.NEW]
        made: dict[tuple[int, HolderKind, str], User] = {}
        for plan in plans:
            try:
                for key, role in plan.to_make.items():
                    if key not in made:
                        made[key] = self._account(*key)
                    plan.roles.setdefault(made[key], Role(role))
            except (DomainError, IntegrityError) as error:
                # Somebody came here since; who that is, another run finds out.
                plan.verdict = Verdict.BLOCKED
                done.failed[plan.label] = str(error)
        done.people = len(self.made)

    def _account(self, identity_id: int, kind: HolderKind, external_id: str) -> User:
        """The account of somebody unknown; one of a name, in however many clouds it is.

        Raises Conflict, IntegrityError where somebody has it since.
        """
        directory = self.planner.directories[identity_id]
        name, issuer = directory.holders[kind, external_id].name, directory.issuer()
        identity = self.identities[identity_id]
        user = self.made.get((issuer, name))
        with transaction.atomic():
            if user is None:
                user = make_user(subject=name, issuer=issuer, name=name)
            rule = rule_for(identity, user)
            if not store(identity, user, rule.value_of(user) if rule else name, {external_id}):
                raise Conflict(f"{shown(name)} of {identity.slug} is somebody already.")
        self.made[issuer, name] = user
        return user

    def _find_room(self) -> None:
        """Issue and fund what the projects have and envelopes lack, as the answers say."""
        for row in self.looked.found:
            now = timezone.now()
            with transaction.atomic():
                chain = _held_chain(row.unit)
                if row.how == "issue":
                    ledger.issue(offering=row.offering, amount=row.found, actor=self.actor, now=now)
                    chain = [each for each in chain if self._declared(each, row)]
                else:
                    chain = chain[-1:]
                for unit in chain:
                    envelopes.fund(
                        offering=row.offering, unit=unit, amount=row.found, actor=self.actor,
                        now=now,
                    )  # fmt: skip

    def _declared(self, unit: Unit, row: Shortfall) -> bool:
        return (unit.pk, row.offering.pk) in self.room.left

    def _take(self, plan: Plan, read: Read, done: Applied) -> None:
        run = Import(self.shape, self.actor, timezone.now(), self.planner.slugs)
        compared = compare_plan(self.shape, self.answers, plan, read)
        found = found_of(self.shape, read)
        try:
            if plan.verdict == Verdict.OURS:
                answered = answer_kept(run, plan, read, found, compared.result)
                done.answered += answered is not None
                done.balances += answered.opened if answered else 0
                return
            taken = take_over(run, plan, read, found, compared.result)
        except (DomainError, IntegrityError) as error:
            done.failed[plan.label] = str(error)
            return
        except DatabaseError as error:
            if refusal_of(error) is None:
                raise
            done.failed[plan.label] = str(refusal_of(error))
            return
        done.imported += 1
        done.balances += taken.opened
        done.kept += taken.kept
        self._tag(plan, taken.project, list(plan.candidate.parts), done)

    def _tag(
        self, plan: Plan, project: Project, identities: Collection[int], done: Applied
    ) -> None:
        for pk in identities:
            try:
                self._add_tag(
                    self.identities[pk], plan.candidate.everywhere[pk].external_id, project
                )
            except (BackendError, Busy) as error:
                done.untagged[plan.label] = str(error)
            else:
                done.tagged += 1

    def _add_tag(self, identity: Endpoint, external_id: str, project: Project) -> None:
        driver = identity_driver(identity)
        self.asking.ask(
            identity,
            lambda: driver.add_tag(external_id, project.tag, timeout=settings.CALL_TIMEOUT_SECONDS),
            writing=True,
        )


def _held_chain(unit: Unit | None) -> list[Unit]:
    """The units from the root to this one, taken in the order in which one locks them."""
    if unit is None:
        return []
    rows = Unit.objects.filter(path__in=ancestor_paths(unit.path)).order_by("path")
    return [take_unit(each) for each in rows]


def one_import() -> AbstractContextManager[None]:
    """One import at a time; the lock goes with whoever is killed. Raises Conflict."""
    return alone(ONE_AT_A_TIME, refusal="Another import is running.", patience=LOCK_SECONDS)
