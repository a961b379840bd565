"""What drivers share whatever their service: finding the spec of a key, and refusing before a
call what no service is to be sent.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from quotas.backends.base import UNLIMITED, KeySpec
from quotas.backends.errors import BackendError, Kind

LARGEST: Final = 2**31 - 1
"""The most that a 32-bit column holds, as nearly all services of OpenStack count in."""

_PROJECT_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]*")


class Counting:
    """A driver that says in `SPECS` what it counts; of specs that fit a key the first is meant."""

    SPECS: ClassVar[Sequence[KeySpec]]
    SERVICE: ClassVar[str]
    """What the service is called in words about it."""

    @classmethod
    def specs(cls) -> Sequence[KeySpec]:
        return cls.SPECS

    @classmethod
    def spec(cls, key: str) -> KeySpec | None:
        return next((replace(each, key=key) for each in cls.SPECS if fits(each, key)), None)

    @classmethod
    def check(cls, values: Mapping[str, int]) -> None:
        """Raises for what no service is to be sent: `unknown_key`, `bad_request`,
        `above_maximum`."""
        for key, value in values.items():
            spec = cls.spec(key)
            if spec is None:
                raise unknown_key(cls.SERVICE, key)
            # Text too, which Nova would take for its digits.
            if type(value) is not int or value <= UNLIMITED:
                most = "" if spec.maximum is None else f" to {spec.maximum}"
                raise BackendError(
                    Kind.REFUSED, "bad_request", f"{key} must be from 0{most}, not {value!r}"
                )
            if spec.maximum is not None and value > spec.maximum:
                raise BackendError(
                    Kind.REFUSED,
                    "above_maximum",
                    f"{key} must be at most {spec.maximum}, not {value}",
                )


def fits(spec: KeySpec, key: str) -> bool:
    """Whether the spec is that of the key, or of a family that the key is in."""
    start, star, end = spec.key.partition("*")
    if not star:
        return spec.key == key
    middle = key[len(start) : len(key) - len(end)]
    is_in = key.startswith(start) and key.endswith(end) and len(key) > len(start + end)
    return is_in and middle != "*"


def member(family: str, key: str) -> str | None:
    """What stands for the family's "*" in a key: `member("gigabytes_*", "gigabytes_fast")`."""
    start, _, end = family.partition("*")
    is_in = key.startswith(start) and key.endswith(end) and len(key) > len(start + end)
    return key[len(start) : len(key) - len(end)] if is_in else None


def unknown_key(service: str, key: str) -> BackendError:
    """No limit of the service has this key."""
    return BackendError(Kind.REFUSED, "unknown_key", f"{service} counts no {key!r}")


def checked_id(project_id: str) -> str:
    """The id, as it can stand in a path. Raises `bad_request` for what is no project's id."""
    if not _PROJECT_ID.fullmatch(project_id):
        raise BackendError(Kind.REFUSED, "bad_request", f"not a project's id: {project_id!r}")
    return project_id


def whole(*figures: object) -> bool:
    """Whether all of them are whole numbers; a bool is an int to Python alone."""
    return all(type(figure) is int for figure in figures)
