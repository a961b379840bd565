"""What an identity endpoint's options say: who gets which role, and how people are found there.

As the site's file wrote them (quotas/catalogue/reading_identity.py); what is not said is not done.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from projects.models import Group, User
from projects.states import ROLES_ABOVE_READER
from quotas.models import Endpoint


@dataclass(frozen=True)
class LookRule:
    """How people, or groups, are looked for: `field` of ours is what is asked for there.

    by: name | id | federated; issuer: only people whom it knows are looked for, "": all.
    """

    by: str
    field: str
    domain_id: str = ""
    provider: str = ""
    protocol: str = ""
    issuer: str = ""

    def value_of(self, holder: User | Group) -> str:
        """What to ask for; "" where there is nothing, or where the rule is not about them."""
        if self.issuer and holder.issuer != self.issuer:
            return ""
        return str(getattr(holder, self.field, "") or "").strip()


def roles_of(identity: Endpoint) -> Mapping[str, tuple[str, ...]]:
    """{role in a project: the roles that it is there}; a role of which nothing is said has none."""
    mapped = identity.options.get("roles")
    if mapped:
        return {role: tuple(names) for role, names in mapped.items() if names}
    one = str(identity.options.get("role") or "")
    return dict.fromkeys(map(str, ROLES_ABOVE_READER), (one,)) if one else {}


def rule_for(identity: Endpoint, holder: User | Group) -> LookRule | None:
    """How the endpoint finds somebody like this; None: only the site's file gives their id."""
    is_user = isinstance(holder, User)
    said = identity.options.get("people" if is_user else "groups")
    if not said:
        return None
    return LookRule(**{"field": "subject" if is_user else "name"} | said)


def deletes_closed(identity: Endpoint) -> bool:
    """Whether a project that is closed is deleted there, and not only disabled."""
    return identity.options.get("delete_closed") is True
