"""Which projects of identity services belong together, and what is to become of each.

Asks our own database and the answers; the figures of services are explained apart (`explaining`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from portal.lib.plain import one_line
from projects.actions.project_names import MAX_NAME
from projects.models import TAG_PREFIX, Project
from projects.states import STANDING, ProjectState, Role
from quotas.backends.base import HolderKind, IdentityProject
from quotas.models import Endpoint, KeptLimit, ProjectHandle
from quotas.states import KeptWhy

from .answers import KEEP, Answers, Rule
from .contradictions import Contradiction, Kind, shown
from .people import STRENGTH, Directory
from .plans import Candidate, Plan, Verdict
from .scanning import FoundIdentity, Place

WORDS: Final = 400


class Planner:
    """Plans for all projects of some identity endpoints."""

    def __init__(self, identities: Iterable[FoundIdentity], answers: Answers) -> None:
        self.answers = answers
        self.identities = {each.endpoint.pk: each for each in identities}
        self.slugs = {pk: each.endpoint.slug for pk, each in self.identities.items()}
        self.directories = {pk: Directory(each, answers) for pk, each in self.identities.items()}
        rows = ProjectHandle.objects.filter(identity__in=self.identities)
        self.handles = {
            (row.identity_id, row.external_id): row.project
            for row in rows.select_related("project__unit").order_by("pk")
        }
        self.known_at: dict[int, set[int]] = {}
        standing = ProjectHandle.objects.filter(project__state__in=STANDING)
        for row in standing.only("project", "identity").order_by("pk"):
            self.known_at.setdefault(row.project_id, set()).add(row.identity_id)
        self.tags = {
            each.tag: each for each in Project.objects.filter(state__in=[*STANDING, "proposed"])
        }
        # What workers leave of a closed project: ours once, and nobody's to take over.
        self.over = {
            each.tag for each in Project.objects.filter(state=ProjectState.CLOSED).order_by("pk")
        }
        self.by_name = {
            each.name.casefold(): each
            for each in Project.objects.exclude(state=ProjectState.DROPPED).order_by("pk")
        }
        self.names: set[str] = set()

    def plans(self) -> Iterator[Plan]:
        """One for each candidate, by name."""
        kept = self._kept()
        for candidate in sorted(self._candidates(), key=lambda each: each.name.casefold()):
            if candidate.project is not None and not candidate.parts:
                yield self._of_ours(candidate, kept)
            else:
                yield self._of_new(candidate)

    # --- Which belong together ----------------------------------------------------------

    def _candidates(self) -> list[Candidate]:
        ours: dict[int, Candidate] = {}
        others: dict[tuple[str, int], Candidate] = {}
        for pk, identity in self.identities.items():
            seen: dict[str, int] = {}
            for external_id in sorted(identity.projects):
                found = identity.projects[external_id]
                project = self.handles.get((pk, external_id))
                if project is not None:
                    candidate = ours.setdefault(project.pk, Candidate(found.name, project=project))
                    candidate.known[pk] = found
                    continue
                if self.over & set(found.tags):
                    continue
                # Twice in one Keystone: no two projects are one.
                turn = seen[found.name.casefold()] = seen.get(found.name.casefold(), -1) + 1
                key = (found.name.casefold(), turn)
                others.setdefault(key, Candidate(found.name)).parts[pk] = found
        for (name, turn), candidate in others.items():
            same = self.by_name.get(name)
            at = self.known_at.get(same.pk, set()) if same is not None else set()
            if turn == 0 and same is not None and at and not at & candidate.parts.keys():
                # Ours in one identity service: this is the same project in another.
                mine = ours.setdefault(same.pk, Candidate(candidate.name, project=same))
                mine.parts, candidate.parts = candidate.parts, {}
        return [*ours.values(), *(each for each in others.values() if each.parts)]

    def _kept(self) -> dict[int, dict[int, KeptLimit]]:
        """{project id: {limit id: row}} of what earlier runs kept."""
        found: dict[int, dict[int, KeptLimit]] = {}
        rows = KeptLimit.objects.filter(target__endpoint__identity__in=self.identities)
        for row in rows.select_related("target").order_by("pk"):
            found.setdefault(row.target.project_id, {})[row.limit_id] = row
        return found

    # --- One of them ---------------------------------------------------------------------

    def _of_ours(self, candidate: Candidate, kept: Mapping[int, dict[int, KeptLimit]]) -> Plan:
        project = candidate.project
        if project is None:  # pragma: no cover - asked for those alone
            raise AssertionError("not ours")
        plan = self._begin(candidate, Verdict.OURS)
        plan.unit = project.unit
        if project.state in STANDING:
            rows = kept.get(project.pk, {})
            if any(not self._is_left(plan, row) for row in rows.values()):
                plan.kept = rows
            plan.untagged = [
                pk for pk, each in candidate.known.items() if project.tag not in each.tags
            ]
        return plan

    def _is_left(self, plan: Plan, row: KeptLimit) -> bool:
        """Whether somebody said that a kept limit shall stay, so that nothing is to be asked."""
        answers = self.answers
        if plan.answer.quota:
            return False
        return {
            KeptWhy.UNFED: answers.zeroes.get(row.limit_id) is False,
            KeptWhy.UNLIMITED: answers.numbers.get(row.limit_id, 0) is None,
            KeptWhy.TOTAL: answers.follows.get(row.limit_id) is False,
            KeptWhy.DIFFERS: answers.differing == KEEP,
            KeptWhy.STEP: answers.off_step == KEEP,
            # What it lies beside is asked about.
            KeptWhy.BESIDE: True,
        }.get(KeptWhy(row.why), False)

    def _of_new(self, candidate: Candidate) -> Plan:
        plan = self._begin(candidate, Verdict.NEW)
        rule = self._rule(candidate)
        if plan.answer.leave_out or (rule is not None and rule.leave_out and not plan.answer.unit):
            plan.verdict = Verdict.LEFT_OUT
            return plan
        first = self._word_of(plan)
        plan.description = _description(first.description)
        plan.name = plan.answer.name or first.name
        self._check_enabled(plan, first)
        if plan.verdict == Verdict.LEFT_OUT:
            plan.contradictions = []
            return plan
        self._place(plan, rule.unit if rule is not None else "")
        self._check_tags(plan)
        self._check_name(plan)
        self._find_people(plan)
        if any(each.is_blocking and not each.is_answered for each in plan.contradictions):
            plan.verdict = Verdict.BLOCKED
        return plan

    def _begin(self, candidate: Candidate, verdict: Verdict) -> Plan:
        ids = {self.slugs[pk]: each.external_id for pk, each in candidate.everywhere.items()}
        return Plan(candidate, verdict, self.answers.of_project(ids))

    def _rule(self, candidate: Candidate) -> Rule | None:
        """The first that fits any of its parts."""
        found = (self._rule_of(each) for each in candidate.parts.values())
        return next((rule for rule in found if rule is not None), None)

    def _rule_of(self, found: IdentityProject) -> Rule | None:
        rules = self.answers.rules
        fitting = (each for each in rules if each.fits(found.name, found.tags, found.parent_id))
        return next(fitting, None)

    def _word_of(self, plan: Plan) -> IdentityProject:
        """The one whose word counts: as the answer says, else the first that is there."""
        parts = plan.candidate.parts
        said = [pk for pk in parts if self.slugs[pk] == plan.answer.like]
        return parts[said[0]] if said else next(iter(parts.values()))

    def _add(
        self, plan: Plan, kind: Kind, subject: str, figures: str, *, is_answered: bool = False
    ) -> None:
        first = next(iter(plan.candidate.everywhere.values()))
        is_accepted = kind in self.answers.accept
        plan.contradictions.append(
            Contradiction(
                kind, subject, plan.label, figures[:WORDS], is_answered or is_accepted,
                first.external_id,
            )
        )  # fmt: skip

    def _place(self, plan: Plan, by_rule: str) -> None:
        project = plan.candidate.project
        slugs = {
            rule.unit for each in plan.candidate.parts.values() if (rule := self._rule_of(each))
        }
        slugs |= {project.unit.slug} if project is not None else set()
        if plan.answer.unit:
            slugs = {plan.answer.unit, *([project.unit.slug] if project is not None else [])}
        if len(slugs - {""}) > 1 and not plan.answer.like:
            self._add(plan, Kind.DISAGREE, "unit", ", ".join(sorted(slugs - {""})))
        if project is not None:
            plan.unit = project.unit
            return
        slug = plan.answer.unit or by_rule
        plan.unit = self.answers.units.get(slug)
        if plan.unit is None:
            first = next(iter(plan.candidate.parts.values()))
            facts = [f"parent {shown(first.parent_id)}"] if first.parent_id else []
            facts += [f"tag {shown(tag)}" for tag in sorted(first.tags)][:5]
            self._add(plan, Kind.UNIT, "", ", ".join(facts))

    def _check_tags(self, plan: Plan) -> None:
        for pk, each in plan.candidate.parts.items():
            for tag in sorted(each.tags):
                if tag.startswith(TAG_PREFIX):
                    mine = self.tags.get(tag)
                    words = (
                        f"of {shown(mine.name)} of this Remit, which makes it there"
                        if mine is not None
                        else "not of this Remit"
                    )
                    self._add(plan, Kind.FOREIGN, self.slugs[pk], f"{shown(tag)}: {words}")

    def _check_name(self, plan: Plan) -> None:
        name = plan.name
        same = self.by_name.get(name.casefold())
        if plan.candidate.project is not None:
            return
        if same is not None:
            self._add(plan, Kind.NAME, "taken", f"Remit has a project {shown(same.name)} already")
        elif name.casefold() in self.names:
            self._add(plan, Kind.NAME, "taken", "another project of the cloud has the same name")
        elif not name.isprintable() or name != name.strip() or not 0 < len(name) <= MAX_NAME:
            self._add(plan, Kind.NAME, "unfit", repr(name)[:80])
        else:
            self.names.add(name.casefold())

    def _check_enabled(self, plan: Plan, first: IdentityProject) -> None:
        states = {each.is_enabled for each in plan.candidate.parts.values()}
        if len(states) > 1 and not plan.answer.like:
            words = ", ".join(
                f"{self.slugs[pk]} {'enabled' if each.is_enabled else 'disabled'}"
                for pk, each in plan.candidate.parts.items()
            )
            self._add(plan, Kind.DISAGREE, "enabled or not", words)
        elif not first.is_enabled and plan.candidate.project is None:
            said = self.answers.disabled
            if said == "leave_out":
                plan.verdict = Verdict.LEFT_OUT
            plan.is_suspended = said == "suspend"
            self._add(plan, Kind.DISABLED, "", "", is_answered=bool(said))

    # --- People --------------------------------------------------------------------------

    def _find_people(self, plan: Plan) -> None:
        for pk, part in plan.candidate.parts.items():
            self._find_roles(plan, pk, part)
        if plan.candidate.project is not None:
            return
        for subject in plan.answer.owners:
            owner = next(iter(self.directories.values())).subject(subject)
            if owner is None:
                self._add(plan, Kind.OWNER, "", f"nobody, or more than one, is {shown(subject)}")
            else:
                plan.roles[owner] = Role.OWNER
        if Role.OWNER not in {*plan.roles.values(), *plan.to_make.values()}:
            count = len(plan.roles) + len(plan.to_make)
            self._add(plan, Kind.OWNER, "", f"{count} others" if count else "nobody works in it")

    def _find_roles(self, plan: Plan, pk: int, part: IdentityProject) -> None:
        directory = self.directories[pk]
        strongest: dict[tuple[HolderKind, str], Role] = {}
        for held in self.identities[pk].roles.get(part.external_id, ()):
            role = directory.role_of(held.role)
            if not role:
                continue
            key = (held.holder.kind, held.holder.external_id)
            before = strongest.get(key)
            if before is None or STRENGTH[role] < STRENGTH[before]:
                strongest[key] = Role(role)
        for key, role in strongest.items():
            who = directory.who(key)
            if who is not None:
                before = plan.roles.get(who)
                if before is None or STRENGTH[role] < STRENGTH[before]:
                    plan.roles[who] = role
                continue
            directory.miss(key)
            if directory.to_be_made(key):
                plan.to_make[pk, *key] = role

    def endpoints_of(self, services: Mapping[int, list[Endpoint]], plan: Plan) -> list[Place]:
        """Where to read a project: at all services of the identities where it is taken over, or
        at those that keep limits of it."""
        places = []
        for pk, part in plan.candidate.everywhere.items():
            for endpoint in services.get(pk, ()):
                if plan.kept and not any(
                    row.target.endpoint_id == endpoint.pk for row in plan.kept.values()
                ):
                    continue
                if pk in plan.candidate.parts or plan.kept:
                    places.append(Place(endpoint, part.external_id))
        return places

    def general(self) -> list[Contradiction]:
        """What is about no single project: people nobody knows, and roles that nothing maps."""
        found = []
        for pk, directory in self.directories.items():
            slug = self.slugs[pk]
            for (_kind, external_id), row in sorted(directory.unknown.items()):
                is_answered = row.is_answered or Kind.PERSON in self.answers.accept
                found.append(
                    Contradiction(
                        Kind.PERSON, slug,
                        f"{row.kind} {shown(row.holder.name)} ({shown(external_id)})",
                        f"projects where they hold roles: {row.project_count:,}", is_answered,
                        external_id,
                    )
                )  # fmt: skip
            for name, count in sorted(directory.unmapped.items()):
                found.append(
                    Contradiction(
                        Kind.ROLE, slug, shown(name), f"held {count} times",
                        Kind.ROLE in self.answers.accept, name,
                    )
                )  # fmt: skip
        return found


def _description(text: str) -> str:
    """As it is, where it fits: what is stored as said is written nowhere."""
    is_fit = len(text) <= 500 and all(char.isprintable() or char in "\r\n\t" for char in text)
    return text if is_fit else one_line(text, 500)
