"""The figures of a refusal, named for people; what has no name here is for programs only."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.lib.amounts import format_amount

NAMES: dict[str, Promise] = {
    "wanted": _("Wanted"),
    "most": _("At most possible"),
    "free": _("Still free"),
    "short": _("Missing"),
    "balance": _("Quota now"),
    "seen": _("What you saw"),
    "used": _("In use"),
    "holder": _("Held by"),
    "next_holder": _("Who holds more"),
    "who": _("Who can help"),
    "state": _("State now"),
}


def known_facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, text) in the order of NAMES; whole numbers are amounts in facts["unit"]."""
    unit = str(values.get("unit", ""))
    return [
        (str(name), _text(values[key], unit))
        for key, name in NAMES.items()
        if isinstance(values.get(key), str | int) and values[key] != ""
    ]


def _text(value: str | int, unit: str) -> str:
    return format_amount(value, unit) if isinstance(value, int) else value
