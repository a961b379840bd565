"""Plays the demo's history with the verbs of the domain, each at its moment."""

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import count

from django.utils import timezone

from projects.models import Project
from quotas.actions import decide, drafts, requests
from quotas.actions.endorse import endorse
from quotas.actions.wishes import Wish
from quotas.models import Offering, QuotaRequest, RequestLine
from quotas.queries.accounts import balances
from quotas.states import LineState

from .authority import base_units, local
from .history import Answer, Asked

# What is younger than this is told by its age, "3 h ago".
LATELY_DAYS = 5
Act = Callable[[datetime], None]


class Player:
    """`play` does what was asked and answered before `today`, in the order of time."""

    def __init__(self, today: datetime) -> None:
        self.today = today
        self.offerings = {
            each.slug: each for each in Offering.objects.select_related("resource", "zone")
        }
        self._acts: list[tuple[datetime, int, Act]] = []
        self._number = count()

    def play(self, everything: Iterable[Asked]) -> None:
        for number, asked in enumerate(everything):
            moment = self.today - timedelta(days=asked.ago)
            if asked.ago > LATELY_DAYS:
                moment = _in_working_hours(moment, number)
            self._at(moment, self._ask(asked))
        while self._acts:
            at, __, act = heapq.heappop(self._acts)
            act(at)

    def _at(self, moment: datetime, act: Act) -> None:
        heapq.heappush(self._acts, (min(moment, self.today), next(self._number), act))

    def _ask(self, asked: Asked) -> Act:
        def act(now: datetime) -> None:
            project = Project.objects.select_related("unit").get(slug=asked.project)
            wish = Wish(
                wanted=self._wanted(asked, project),
                reason=asked.reason,
                until_on=None
                if asked.until is None
                else timezone.localdate(self.today) + timedelta(days=asked.until),
                all_or_nothing=asked.all_or_nothing,
            )
            made = self._make(asked, project, wish, now)
            for answer in asked.answers:
                self._at(now + timedelta(days=answer.after), self._answer(made.pk, answer))

        return act

    def _make(self, asked: Asked, project: Project, wish: Wish, now: datetime) -> QuotaRequest:
        who = local(asked.who)
        if asked.is_draft:
            return drafts.save(project=project, wish=wish, actor=who, now=now)
        writer = local(asked.by) if asked.by else who
        return requests.submit(
            project=project, wish=wish, actor=writer, now=now,
            requester=who if asked.by else None,
        )  # fmt: skip

    def _wanted(self, asked: Asked, project: Project) -> dict[str, int]:
        held = balances(project)
        found = {}
        for slug, text in asked.wanted.items():
            offering = self.offerings[slug]
            found[slug] = base_units(text, offering.resource, held.get(offering.pk, 0))
        return found

    def _answer(self, request_id: int, answer: Answer) -> Act:
        def act(now: datetime) -> None:
            quota_request = QuotaRequest.objects.select_related("project__unit").get(pk=request_id)
            who = local(answer.who)
            match answer.verb:
                case "approve":
                    self._approve(quota_request, answer, now)
                case "endorse":
                    endorse(
                        quota_request=quota_request, endorsed=open_amounts(quota_request),
                        version=quota_request.version, reason=answer.text, actor=who, now=now,
                    )  # fmt: skip
                case "decline":
                    decide.decline(
                        quota_request=quota_request, line_ids=open_ids(quota_request),
                        reason=answer.text, version=quota_request.version, actor=who, now=now,
                    )  # fmt: skip
                case "return":
                    decide.return_(
                        quota_request=quota_request, line_ids=open_ids(quota_request),
                        question=answer.text, version=quota_request.version, actor=who, now=now,
                    )  # fmt: skip
                case "answer":
                    requests.answer(
                        quota_request=quota_request, text=answer.text, wanted={},
                        version=quota_request.version, actor=who, now=now,
                    )  # fmt: skip
                case "comment":
                    requests.comment(
                        quota_request=quota_request, text=answer.text, actor=who, now=now
                    )
                case "withdraw":
                    requests.withdraw(quota_request=quota_request, actor=who, now=now)
                case _:
                    raise ValueError(f"the demo's history knows no {answer.verb!r}")

        return act

    def _approve(self, quota_request: QuotaRequest, answer: Answer, now: datetime) -> None:
        lines = list(
            RequestLine.objects.filter(request=quota_request, state=LineState.OPEN).select_related(
                "offering__resource"
            )
        )
        held = balances(quota_request.project)
        trimmed = answer.granted
        decide.approve(
            quota_request=quota_request,
            granted={
                line.pk: base_units(trimmed[line.offering.slug], line.offering.resource)
                if line.offering.slug in trimmed
                else line.wanted
                for line in lines
            },
            seen={line.pk: held.get(line.offering_id, 0) for line in lines},
            version=quota_request.version,
            reason=answer.text,
            actor=local(answer.who),
            now=now,
        )


def _in_working_hours(moment: datetime, number: int) -> datetime:
    """The same day, between nine and five, not always at the minute of the load."""
    return moment.replace(hour=9 + number * 5 % 8, minute=number * 17 % 60)


def open_amounts(quota_request: QuotaRequest) -> dict[int, int]:
    """{line id: what it asks for} of the lines that wait for a decision."""
    lines = RequestLine.objects.filter(request=quota_request, state=LineState.OPEN)
    return dict(lines.values_list("pk", "wanted"))


def open_ids(quota_request: QuotaRequest) -> list[int]:
    """The ids of the lines that wait for a decision."""
    lines = RequestLine.objects.filter(request=quota_request, state=LineState.OPEN)
    return list(lines.values_list("pk", flat=True))
