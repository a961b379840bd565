"""Which calls Remit makes for a change, as a bare client can make them again elsewhere."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .bare import Call

# What the sandbox calls a service, and what a catalogue does.
TYPES = {"identity": "identity", "compute": "compute", "volume": "block-storage"}
# Cinder has the caller's own project behind its version: both are of the endpoint, not the call.
_VERSION = re.compile(r"^/v[0-9.]+(/[0-9a-f]{32}(?=/))?")
Shape = tuple[str, str, str, str]
"""Service, region, method, path with "{project}" for the project's id."""


def as_call(seen: Mapping[str, Any], external_id: str) -> Call:
    """One of the sandbox's calls, of any region, with "{project}" for the project's id."""
    path = _VERSION.sub("", seen["path"]).replace(external_id, "{project}")
    return TYPES[seen["service"]], "{region}", seen["method"], path, seen["body"]


def shape(seen: Iterable[Mapping[str, Any]], external_ids: Collection[str]) -> Counter[Shape]:
    """How often each call was made about any of these projects: all but figures and which one."""
    found: Counter[Shape] = Counter()
    for each in seen:
        about = [external_id for external_id in external_ids if external_id in each["path"]]
        if about:
            path = _VERSION.sub("", each["path"]).replace(about[0], "{project}")
            found[each["service"], each["region"] or "", each["method"], path] += 1
    return found


def filled(
    calls: Sequence[Call], *, region: str, external_id: str, names: Mapping[str, str], more: int
) -> list[Call]:
    """The same for a project of a region. names: {what keys end in there: here}, as volume types
    have other names; more: is added to each limit, so that it is a change."""
    return [
        (
            service, region, method, path.replace("{project}", external_id),
            None if body is None else _other(body, names, more),
        )
        for service, _region, method, path, body in calls
    ]  # fmt: skip


def _other(body: Any, names: Mapping[str, str], more: int) -> Any:
    text = json.dumps(body)
    for there, here in names.items():
        text = text.replace(there, here)
    return {
        envelope: {key: value + more for key, value in limits.items()}
        for envelope, limits in json.loads(text).items()
    }
