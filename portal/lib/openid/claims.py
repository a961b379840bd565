"""What a provider says of a person: subject, name, mail, groups. Pure; trusts no shape.

Of groups nothing is made where the claim is absent or cannot be read whole: half an answer
must never take anybody's access away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.lib.plain import MOST_NAME, is_key, mail_in, one_line

from .failures import Failed, Failure

# In the order in which they are asked; providers differ in which they fill.
ID_KEYS = ("id", "external_id", "value")
NAME_KEYS = ("name", "display", "displayName")


@dataclass(frozen=True)
class GroupClaim:
    """A group by its id; `name` is empty where the provider tells the id alone."""

    external_id: str
    name: str = ""


@dataclass(frozen=True)
class PersonClaims:
    """A person as the provider knows them. groups None: it did not say."""

    issuer: str
    subject: str
    name: str
    mail: str
    groups: tuple[GroupClaim, ...] | None


def person_in(claims: Mapping[str, Any], *, issuer: str, groups_claim: str) -> PersonClaims:
    """Read the person out of verified claims. Raises Failed where it is nobody."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not is_key(subject):
        raise Failed(Failure.SUBJECT, "sub is missing, too long or holds signs that none may")
    return PersonClaims(
        issuer=issuer,
        subject=subject,
        name=_name(claims.get("name") or claims.get("preferred_username")),
        mail=mail_in(_text(claims.get("email"))),
        groups=_groups(claims.get(groups_claim)) if groups_claim else None,
    )


def _name(value: Any) -> str:
    return one_line(_text(value), MOST_NAME)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _groups(value: Any) -> tuple[GroupClaim, ...] | None:
    """The groups of a claim, each once; None unless it is a list of which all can be read."""
    if not isinstance(value, list):
        return None
    found: dict[str, GroupClaim] = {}
    for item in value:
        group = _group(item)
        if group is None:
            return None
        found.setdefault(group.external_id, group)
    return tuple(found.values())


def _group(item: Any) -> GroupClaim | None:
    name = ""
    if isinstance(item, Mapping):
        key = next((item[each] for each in ID_KEYS if item.get(each) is not None), None)
        name = next((_name(item[each]) for each in NAME_KEYS if item.get(each)), "")
    else:
        key = item
    # Some number their groups.
    text = str(key) if isinstance(key, int) and not isinstance(key, bool) else key
    if not isinstance(text, str) or not is_key(text):
        return None
    return GroupClaim(external_id=text, name=name)
