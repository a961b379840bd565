"""Whom open lines wait for, as routing would have it: by what bounds leave at the end."""

from quotas.models import Assignment

from .asking import Asked, Wish
from .copying import NULL, Sheets
from .deciding import Deciding, Mandate
from .numbers import DEPUTY, GROUP, HEAD, SPECIALIST
from .times import Times

VCPU = 1


class Routing:
    def __init__(self, sheets: Sheets, deciding: Deciding, times: Times) -> None:
        self._rows = sheets.of(
            Assignment, "line_id", "delegation_id", "user_id", "group_id", "kind", "starts_at",
            "ends_at",
        )  # fmt: skip
        self._deciding, self._second = deciding, times.last_second

    def route(self, asked: Asked) -> None:
        for line in asked.lines:
            self._line(asked, line)

    def _line(self, asked: Asked, line: Wish) -> None:
        deciding = self._deciding
        nearest = [deciding.mandate(asked.unit, GROUP)]
        if deciding.resources[line.offering] == VCPU:
            nearest.append(deciding.mandate(asked.unit, SPECIALIST))
        enough = [each for each in nearest if deciding.may_grant(each, line, self._second)]
        if enough:
            self._put(asked, line, enough, "decide")
            return
        self._put(asked, line, nearest, "endorse")
        for unit in deciding.place(asked.unit)[1]:
            heads = [deciding.mandate(unit, HEAD), deciding.mandate(unit, DEPUTY)]
            enough = [each for each in heads if deciding.may_grant(each, line, self._second)]
            if enough:
                self._put(asked, line, enough, "decide")
                return

    def _put(self, asked: Asked, line: Wish, mandates: list[Mandate], kind: str) -> None:
        for each in mandates:
            link = each.link
            user, group = (NULL if one is None else one for one in (link.user, link.group))
            ends_at = NULL if link.ends_at is None else link.ends_at.isoformat()
            self._rows.line(f"{line.pk}\t{link.pk}\t{user}\t{group}\t{kind}\t{asked.at}\t{ends_at}")
