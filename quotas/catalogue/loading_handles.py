"""Making it so that identity endpoints know the people and groups of a file by their ids there.

After both halves of the file: it needs the endpoints and the people. Who has no id is not
refused: they wait for their role in the cloud until a later file gives one.
"""

from collections import defaultdict

from django.db.models import Q

from projects.models import Group, Membership, User
from quotas.models import Endpoint, HolderHandle

from . import site as said
from .changes import ADDED, CHANGED, Changes
from .document import nearest
from .loading_people import PeopleLoader
from .problems import Problems

Known = dict[tuple[int, int | None, int | None], HolderHandle]


class HandleLoader:
    """One load; the people's half was loaded before."""

    def __init__(self, people: PeopleLoader, changes: Changes, problems: Problems) -> None:
        self.people = people
        self.changes = changes
        self.problems = problems
        self.identities = {
            each.slug: each for each in Endpoint.objects.filter(identity__isnull=True)
        }
        self.changed: dict[int, Q] = defaultdict(Q)  # by identity endpoint: whose memberships

    def load(self) -> Q:
        """Returns the targets where roles are to be granted, as a condition."""
        persons = self.people.site.people.values()
        groups = self.people.site.groups.values()
        wanted: list[tuple[User | Group, said.ExternalId, str]] = [
            (self.people.people[each.handle], external_id, each.subject)
            for each in persons
            if each.handle in self.people.people
            for external_id in each.external_ids
        ]
        wanted += [
            (self.people.groups[each.handle], external_id, each.external_id)
            for each in groups
            if each.handle in self.people.groups
            for external_id in each.external_ids
        ]
        if wanted:
            self._put_all(wanted)
        return self._touched()

    def _put_all(self, wanted: list[tuple[User | Group, said.ExternalId, str]]) -> None:
        rows = list(HolderHandle.objects.filter(identity__in=self.identities.values()))
        known: Known = {(row.identity_id, row.user_id, row.group_id): row for row in rows}
        for holder, external_id, name in wanted:
            identity = self._identity(external_id)
            if identity is not None:
                self._put(known, identity, holder, external_id, name)
        self._refuse_shared(known, {external_id.value: external_id for _, external_id, _ in wanted})

    def _identity(self, external_id: said.ExternalId) -> Endpoint | None:
        slug = external_id.identity
        if slug in self.identities:
            return self.identities[slug]
        if slug:
            self.problems.add(
                external_id.line,
                f"{slug} is no identity endpoint{nearest(slug, self.identities)}",
            )
        elif len(self.identities) == 1:
            return next(iter(self.identities.values()))
        else:
            listed = ", ".join(sorted(self.identities)) or "none"
            self.problems.add(
                external_id.line,
                f"say at which identity endpoint somebody is {external_id.value}, as in "
                f"{{<endpoint>: {external_id.value}}}; there is {listed}.",
            )
        return None

    def _put(
        self, known: Known, identity: Endpoint, holder: User | Group,
        external_id: said.ExternalId, name: str,
    ) -> None:  # fmt: skip
        is_user = isinstance(holder, User)
        key = (identity.pk, holder.pk if is_user else None, None if is_user else holder.pk)
        row = known.get(key)
        if row is not None and row.external_id == external_id.value:
            return
        if row is None:
            known[key] = HolderHandle.objects.create(
                identity=identity, external_id=external_id.value,
                **{"user" if is_user else "group": holder},
            )  # fmt: skip
            self.changes.add(ADDED, f"id at {identity.slug} of", name, external_id.value)
        else:
            how = external_id.value
            if row.external_id:
                how = f"{row.external_id} → {how}"
            sign = CHANGED if row.external_id else ADDED
            self.changes.add(sign, f"id at {identity.slug} of", name, how)
            # What Remit granted to the former id is taken back there: the grants say to whom.
            row.external_id, row.looked_at = external_id.value, None
            row.missing, row.words, row.next_at, row.miss_count = "", "", None, 0
            row.save()
        self.changed[identity.pk] |= Q(user=holder.pk) if is_user else Q(group=holder.pk)

    def _refuse_shared(self, known: Known, said_ids: dict[str, said.ExternalId]) -> None:
        """One id is one person: else the roles of one would be given to another."""
        seen: set[tuple[int, bool, str]] = set()
        for row in known.values():
            key = (row.identity_id, row.user_id is not None, row.external_id)
            if key in seen and row.external_id in said_ids:
                self.problems.add(
                    said_ids[row.external_id].line,
                    f"{row.external_id} is the id of two at one identity endpoint.",
                )
            seen.add(key)

    def _touched(self) -> Q:
        """Where somebody became known, or a membership changed."""
        touched = Q(project__in=self.people.roles_changed, endpoint__in=self.identities.values())
        for identity_id, whose in self.changed.items():
            projects = Membership.objects.filter(whose, ends_at__isnull=True).values("project")
            touched |= Q(endpoint=identity_id, project__in=projects)
        return touched
