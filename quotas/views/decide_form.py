"""What a decider typed, read from the form of the decision page and kept for showing it again."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from django.http import QueryDict
from django.utils.translation import gettext as _

from portal.lib.amounts import AmountError, input_text, parse_amount
from portal.lib.errors import Invalid
from quotas.actions.shown import Shown
from quotas.models import RequestLine
from quotas.queries.decision_figures import LineFigures

AS_ASKED = "asked"


class _Seen(NamedTuple):
    """The lines that are meant, their quota as it was shown, and the request's version of then."""

    lines: frozenset[int]
    seen: Mapping[int, int]
    version: int | None


class OpenLine(Protocol):
    """A line that waits, with its offering and resource, and the project's quota of that now."""

    @property
    def line(self) -> RequestLine: ...

    @property
    def balance(self) -> int: ...


@dataclass(frozen=True)
class Typed:
    """The page's fields as text; `lines` are the ids of the lines that were ticked."""

    lines: frozenset[int]
    grants: Mapping[int, str]
    seen: Mapping[int, int]
    version: int | None
    note: str = ""
    reason: str = ""
    is_as_asked: bool = False
    is_confirmed: bool = False
    # Decided in a row of the queue, to which it leads back.
    is_from_queue: bool = False

    @classmethod
    def first_look(cls, figures: Collection[LineFigures], *, is_all_or_nothing: bool) -> "Typed":
        """What the page proposes: as asked, or the most that is possible of it."""
        can_trim = not is_all_or_nothing
        grants = {
            each.line.pk: each.most if can_trim and each.most > each.balance else each.line.wanted
            for each in figures
        }
        return cls(
            lines=frozenset(
                each.line.pk
                for each in figures
                if each.is_reached
                and (not can_trim or each.can_be_granted or each.most > each.balance)
            ),
            grants={each.line.pk: input_text(grants[each.line.pk], each.unit) for each in figures},
            seen={},
            version=None,
        )

    @classmethod
    def read(cls, data: QueryDict) -> "Typed":
        """From a POST; what is not a number there was not written by our page."""
        shown = _shown(data)
        return cls(
            lines=shown.lines,
            grants=_by_line(data, "grant-"),
            seen=shown.seen,
            version=shown.version,
            note=data.get("note", ""),
            reason=data.get("reason", ""),
            is_as_asked=data.get("do") == AS_ASKED,
            is_confirmed=data.get("confirmed") == "yes",
            is_from_queue="shown" in data or data.get("then") == "queue",
        )

    def shown_version(self) -> int:
        """The request's version that the page showed; −1, which is stale, where it says none."""
        return -1 if self.version is None else self.version

    def checked_lines(self) -> list[int]:
        """The ticked lines; raises Invalid without any."""
        if not self.lines:
            raise Invalid({"lines": [_("Tick at least one line to decide about.")]})
        return sorted(self.lines)

    def checked_grants(self, open_lines: "Mapping[int, OpenLine]") -> dict[int, int]:
        """{line id: absolute limit in base units} of the ticked lines.

        open_lines: those that wait. Raises Invalid with `granted.<line id>` for each
        text that is no amount. A line that does not wait gets 0: the action refuses it for
        what it is, before it looks at any amount.
        """
        granted, errors = {}, {}
        for line_id in self.checked_lines():
            each = open_lines.get(line_id)
            if each is None:
                granted[line_id] = 0
                continue
            try:
                granted[line_id] = self.amount(each)
            except AmountError as error:
                errors[f"granted.{line_id}"] = [error.sentence]
        if errors and all(line_id in open_lines for line_id in self.lines):
            raise Invalid(errors)
        return {line_id: granted.get(line_id, 0) for line_id in self.lines}

    def amount(self, open_line: "OpenLine") -> int:
        """What would be granted to a line; raises AmountError."""
        line = open_line.line
        if self.is_as_asked:
            return line.wanted
        return parse_amount(
            self.grants.get(line.pk, ""),
            unit=line.offering.resource.unit,
            current=self.seen.get(line.pk, open_line.balance),
            step=line.offering.resource.step,
        )


def _shown(data: QueryDict) -> "_Seen":
    """What the form showed: in a row of the queue as one text, else field by field."""
    try:
        whole = Shown.read(str(data["shown"]))
    except (KeyError, ValueError):
        pass
    else:
        return _Seen(frozenset(whole.seen), whole.seen, whole.version)
    ids = {_number(each) for each in data.getlist("line")}
    seen = {line_id: _number(text) for line_id, text in _by_line(data, "seen-").items()}
    return _Seen(
        frozenset(each for each in ids if each is not None),
        {line_id: balance for line_id, balance in seen.items() if balance is not None},
        _number(data.get("version", "")),
    )


def _number(text: str) -> int | None:
    """A whole number that the database can hold, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _by_line(data: QueryDict, prefix: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for name in data:
        line_id = _number(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if line_id is not None:
            found[line_id] = str(data[name])
    return found
