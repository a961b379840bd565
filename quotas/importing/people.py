"""Who of a cloud is who here: the rule by which people are found, the other way round."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from portal.lib.plain import is_key
from projects.models import LOCAL_ISSUER, Group, User
from projects.states import Role
from quotas.backends.base import HolderKind, NamedHolder
from quotas.models import Endpoint, HolderHandle
from quotas.queries.identity_rules import LookRule, roles_of, rule_for

from .answers import NOBODY, Answers
from .scanning import FoundIdentity

Person = User | Group
Key = tuple[HolderKind, str]
STRENGTH = {role: place for place, role in enumerate(Role.values)}


def rules_of(identity: Endpoint) -> list[LookRule]:
    """How people and groups are found there, as far as anything is said."""
    rules = (rule_for(identity, each) for each in (User(), Group()))
    return [rule for rule in rules if rule is not None]


@dataclass
class Unknown:
    """Somebody who holds roles and whom nobody here is known to be."""

    holder: NamedHolder
    kind: HolderKind
    project_count: int = 0
    is_answered: bool = False


class Directory:
    """The people and groups of one identity endpoint, as far as Remit knows them."""

    def __init__(self, found: FoundIdentity, answers: Answers) -> None:
        self.identity = found.endpoint
        self.answers = answers
        self.holders = found.holders
        self.unknown: dict[Key, Unknown] = {}
        self.unmapped: Counter[str] = Counter()
        rows = HolderHandle.objects.filter(identity=self.identity).exclude(external_id="")
        owners: dict[Key, Person | None] = {
            (HolderKind.USER if row.user else HolderKind.GROUP, row.external_id): (
                row.user or row.group
            )
            for row in rows.select_related("user", "group").order_by("pk")
        }
        self.by_handle = {key: each for key, each in owners.items() if each and _is_here(each)}
        self.somebodys = owners.keys() - self.by_handle.keys()
        self.people = _Index(User.objects.filter(is_active=True), rule_for(self.identity, User()))
        self.groups = _Index(Group.objects.filter(gone_at=None), rule_for(self.identity, Group()))
        self.by_subject: dict[str, list[User]] = {}
        self.reversed = _reversed(self.identity, answers)

    def who(self, key: Key) -> Person | None:
        """The person or group that an id of the identity service is; None: nobody here, or
        somebody whom the answers leave out."""
        kind, external_id = key
        said = (self.answers.people if kind == HolderKind.USER else self.answers.groups).get(
            external_id, ""
        )
        if said == NOBODY:
            return None
        if said:
            return self._said(kind, said)
        if (known := self.by_handle.get(key)) is not None:
            return known
        index = self.people if kind == HolderKind.USER else self.groups
        holder = self.holders.get(key, NamedHolder(external_id, ""))
        return index.find(holder)

    def _said(self, kind: HolderKind, said: str) -> Person | None:
        if kind == HolderKind.GROUP:
            groups = list(Group.objects.filter(external_id=said).order_by("pk")[:2])
            return groups[0] if len(groups) == 1 else None
        return self.subject(said)

    def subject(self, subject: str) -> User | None:
        """The active person of that subject; of the answers' issuer where several know it."""
        if subject not in self.by_subject:
            rows = User.objects.filter(subject=subject, is_active=True).order_by("pk")
            self.by_subject[subject] = list(rows)
        found = self.by_subject[subject]
        if len(found) > 1 and self.answers.issuer:
            found = [each for each in found if each.issuer == self.answers.issuer]
        return found[0] if len(found) == 1 else None

    def role_of(self, name: str) -> str:
        """What a role of the identity service is here; "" for nothing."""
        if name not in self.reversed:
            self.unmapped[name] += 1
            return ""
        said = self.reversed[name]
        return "" if said == NOBODY else said

    def miss(self, key: Key) -> None:
        """Note that somebody who holds a role is not known."""
        kind, external_id = key
        said = self.answers.people if kind == HolderKind.USER else self.answers.groups
        holder = self.holders.get(key, NamedHolder(external_id, ""))
        row = self.unknown.setdefault(key, Unknown(holder, kind))
        row.is_answered = said.get(external_id) == NOBODY or (
            self.answers.unknown_people == "leave_out" or self.to_be_made(key)
        )
        row.project_count += 1

    def to_be_made(self, key: Key) -> bool:
        """Whether the answers have an account made of somebody unknown.

        Not where that could be somebody else: one name may be another's in another domain, or
        one's here whom the rule did not find.
        """
        kind, external_id = key
        is_said = external_id in self.answers.people
        holder = self.holders.get(key)
        if self.answers.unknown_people != "make" or kind != HolderKind.USER or holder is None:
            return False
        is_other = self.people.is_elsewhere(holder) or key in self.somebodys
        is_free = holder.name not in self.taken and self.names[holder.name.casefold()] == 1
        return is_key(holder.name) and is_free and not is_other and not is_said

    @cached_property
    def taken(self) -> set[str]:
        """Subjects that somebody has at the provider by which people would sign in."""
        rows = User.objects.filter(issuer=self.issuer()).order_by("pk")
        return set(rows.values_list("subject", flat=True))

    @cached_property
    def names(self) -> Counter[str]:
        """How many people of the identity service have one name."""
        people = (each for (kind, _id), each in self.holders.items() if kind == HolderKind.USER)
        return Counter(each.name.casefold() for each in people)

    def issuer(self) -> str:
        """Who will sign them in."""
        rule = rule_for(self.identity, User())
        return self.answers.issuer or (rule.issuer if rule else "") or LOCAL_ISSUER


def _is_here(holder: Person) -> bool:
    return holder.is_here if isinstance(holder, User) else holder.gone_at is None


class _Index:
    """People, or groups, by what the endpoint's rule looks for."""

    def __init__(self, rows: Iterable[Person], rule: LookRule | None) -> None:
        self.rule = rule
        self.by_value: dict[str, list[Person]] = {}
        if rule is not None and rule.by in ("name", "id"):
            for each in rows:
                value = rule.value_of(each).casefold()
                if value:
                    self.by_value.setdefault(value, []).append(each)

    def find(self, holder: NamedHolder) -> Person | None:
        """Whom the rule would find as this one; None: nobody, or more than one."""
        if self.rule is None:
            return None
        if self.rule.by == "id":
            value = holder.external_id
        else:
            if self.is_elsewhere(holder):
                return None
            value = holder.name
        found = self.by_value.get(value.casefold(), []) if value else []
        return found[0] if len(found) == 1 else None

    def is_elsewhere(self, holder: NamedHolder) -> bool:
        """Whether somebody is of another domain than the rule's."""
        domain_id = self.rule.domain_id if self.rule else ""
        return bool(domain_id) and holder.domain_id not in ("", domain_id)


def _reversed(identity: Endpoint, answers: Answers) -> Mapping[str, str]:
    """{role there: role here}: as the answers say, else the endpoint's own map the other way.

    A role there that several here are is the weakest of them: nobody becomes an owner because
    members are granted the same.
    """
    found: dict[str, list[str]] = {}
    for ours, names in roles_of(identity).items():
        for name in names:
            found.setdefault(name, []).append(ours)
    weakest = {name: max(roles, key=STRENGTH.__getitem__) for name, roles in found.items()}
    return {**weakest, **answers.roles}
