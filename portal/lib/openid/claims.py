"""What a provider says of a person: subject, name, mail, groups. Pure; trusts no shape.

Of groups nothing is made where the claim is absent or cannot be read whole: half an answer
must never take anybody's access away.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .failures import Failed, Failure

MOST_KEY = 200
MOST_NAME = 200
MOST_MAIL = 254
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
        name=_line(claims.get("name") or claims.get("preferred_username"), MOST_NAME),
        mail=_mail(claims.get("email")),
        groups=_groups(claims.get(groups_claim)) if groups_claim else None,
    )


def is_key(text: str) -> bool:
    """Whether a text can be what somebody or a group is known by, exactly as it is."""
    return 0 < len(text) <= MOST_KEY and text.isprintable() and text == text.strip()


def _line(value: Any, most: int) -> str:
    """A text of one line, without signs that turn or hide what is beside them."""
    if not isinstance(value, str):
        return ""
    plain = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in value)
    return " ".join(plain.split())[:most]


def _mail(value: Any) -> str:
    """An address that fits, or none: half an address is somebody else's."""
    line = _line(value, MOST_MAIL + 1)
    return line if "@" in line and " " not in line and len(line) <= MOST_MAIL else ""


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
        name = next((_line(item[each], MOST_NAME) for each in NAME_KEYS if item.get(each)), "")
    else:
        key = item
    # Some number their groups.
    text = str(key) if isinstance(key, int) and not isinstance(key, bool) else key
    if not isinstance(text, str) or not is_key(text):
        return None
    return GroupClaim(external_id=text, name=name)
