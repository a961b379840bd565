"""What happened to a request or a project, in order: events, what was written, decisions.

Events hold ids; the names, the texts and the proofs are looked up here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from projects.models import Event, Group, Unit, User
from quotas.models import (
    Comment,
    Decision,
    DecisionLine,
    Delivery,
    Endpoint,
    Offering,
    PolicyVersion,
    QuotaRequest,
    RequestLine,
    Target,
)

from .timeline_events import UNTOLD, Told
from .timeline_words import MARKS, sentence_of

PROJECT_EVENTS = 15
ASKED_LINES = 6  # that a sentence about what was asked for names
ASKING = ("submitted", "amended")
REPAIRS = ("retried", "skipped", "remedied", "project_adopt", "project_recreate")


@dataclass(frozen=True)
class Link:
    """One link of the chain that a decision rests on."""

    delegation: int
    holder: User | Group | None
    unit: str
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class Proof:
    """The authority of a decision as it was stored, with the names of now."""

    decision: int
    rule_version: int
    chains: tuple[tuple[Link, ...], ...]
    lines: tuple[DecisionLine, ...]

    @property
    def names(self) -> list[User | Group | None]:
        """Root first; of the longest chain, where lines had different ones."""
        longest = max(self.chains, key=len, default=())
        return [link.holder for link in longest]

    @property
    def more_count(self) -> int:
        """How many lines a sentence about the first four leaves out."""
        return max(len(self.lines) - 4, 0)


@dataclass(frozen=True)
class Asked:
    """What a verb asked for, as a sentence tells it: {place: [(offering, amount)]}."""

    places: Mapping[str, list[tuple[Offering, int]]]
    more_count: int


@dataclass(frozen=True)
class Entry:
    """One line of a timeline. `text` is what somebody wrote."""

    verb: str
    at: datetime
    actor: User | None = None
    text: str = ""
    number: int | None = None
    decision: Decision | None = None
    proof: Proof | None = None
    endpoint: Endpoint | None = None
    target: Target | None = None
    data: dict[str, Any] = field(default_factory=dict)
    asked: Asked | None = None
    # What decided instead of a person.
    rule: PolicyVersion | None = None
    # Whose wish it is, where somebody else wrote it.
    in_the_name_of: User | None = None
    # In words, for a verb of which the page tells no more.
    sentence: str = ""

    @property
    def icon(self) -> str:
        return MARKS.get(self.verb, ("info", ""))[0]

    @property
    def tone(self) -> str:
        return MARKS.get(self.verb, ("info", ""))[1]

    @property
    def is_drift(self) -> bool:
        return self.verb.startswith("drift_")

    @property
    def is_repair(self) -> bool:
        """Something that was done about a target, rather than what became of it."""
        return self.verb in REPAIRS


def request_timeline(quota_request: QuotaRequest) -> list[Entry]:
    """Everything about a request, the oldest first."""
    comments = list(Comment.objects.filter(request=quota_request).select_related("author"))
    decisions = list(
        Decision.objects.filter(request=quota_request).select_related(
            "person", "policy_version__resource", "policy_version__zone"
        )
    )
    proofs = proofs_of(decisions)
    events = list(
        Event.objects.filter(subject_kind="request", subject_id=quota_request.pk).select_related(
            "actor"
        )
    )
    asked = _asked_by(events, quota_request)
    answers = {(each.actor_id, each.at): each for each in events if each.verb == "answered"}
    entries = [_written(each, answers.get((each.author_id, each.at)), asked) for each in comments]
    entries += [
        Entry(
            _verb(each),
            each.at,
            None if each.policy_version else each.person,
            each.reason,
            decision=each,
            proof=proofs[each.pk],
            rule=each.policy_version,
        )
        for each in decisions
    ]
    # Told by what was written or decided; for whom a request waits now stands on its page.
    elsewhere = {"commented", "answered", "approved", "declined", "returned", "endorsed", *UNTOLD}
    entries += [
        Entry(
            event.verb,
            event.at,
            event.actor,
            _first_words(event, quota_request),
            asked=asked.get(event.pk),
            in_the_name_of=_requester(event, quota_request),
            sentence=sentence_of(event, who=str(event.actor or _("Remit"))),
        )
        for event in events
        if event.verb not in elsewhere
    ]
    entries += _delivered(quota_request)
    # What a rule grants is granted in the moment in which it is asked for.
    return sorted(entries, key=lambda each: (each.at, each.verb not in ASKING))


def _requester(event: Event, quota_request: QuotaRequest) -> User | None:
    """In whose name it was sent; None where whoever acted did so in their own."""
    if quota_request.asked_by_id is None or event.verb != "submitted":
        return None
    return quota_request.requester


def _written(comment: Comment, answer: Event | None, asked: Mapping[int, Asked]) -> Entry:
    if answer is None:
        return Entry("commented", comment.at, comment.author, comment.text)
    return Entry("answered", comment.at, comment.author, comment.text, asked=asked.get(answer.pk))


def _asked_by(events: Collection[Event], quota_request: QuotaRequest) -> dict[int, Asked]:
    """{event id: what it asked for}, where that is known."""
    lines = list(
        RequestLine.objects.filter(request=quota_request).select_related(
            "offering__resource", "offering__zone__region"
        )
    )
    has_changed = any(event.verb in ("amended", "answered") for event in events)
    found = {}
    for event in events:
        wanted = event.data.get("wanted")
        if wanted is None and event.verb == "submitted" and not has_changed:
            # Written before events held amounts: the lines are still as they were sent.
            wanted = {line.offering.slug: line.wanted for line in lines}
        if wanted:
            found[event.pk] = _told(wanted, [line.offering for line in lines])
    return found


def _told(wanted: Mapping[str, int], offerings: Collection[Offering]) -> Asked:
    has_regions = len({each.zone.region_id for each in offerings}) > 1
    named = [each for each in offerings if each.slug in wanted]
    places: dict[str, list[tuple[Offering, int]]] = defaultdict(list)
    for offering in named[:ASKED_LINES]:
        zone = offering.zone
        place = f"{zone.name}, {zone.region.name}" if has_regions else zone.name
        places[place].append((offering, wanted[offering.slug]))
    return Asked(dict(places), len(named) - min(len(named), ASKED_LINES))


def _verb(decision: Decision) -> str:
    return {
        "approve": "approved", "decline": "declined", "return": "returned", "endorse": "endorsed"
    }[decision.kind]  # fmt: skip


def _first_words(event: Event, quota_request: QuotaRequest) -> str:
    return quota_request.reason if event.verb == "submitted" else ""


def _delivered(quota_request: QuotaRequest) -> Iterable[Entry]:
    """When each service was last read back as true for the request, and what troubles it."""
    latest: dict[int, Entry] = {}
    rows = Delivery.objects.filter(decision_line__decision__request=quota_request)
    for delivery in rows.select_related("target__endpoint").order_by("applied_at", "pk"):
        target = delivery.target
        if delivery.applied_at is not None:
            latest[target.pk] = Entry(
                "applied", delivery.applied_at, endpoint=target.endpoint, target=target
            )
        elif target.error_at is not None and target.error_id:
            latest[-target.pk] = Entry(
                "trouble", target.error_at, endpoint=target.endpoint, target=target
            )
    return latest.values()


def entries_of(rows: Iterable[Told]) -> list[Entry]:
    """What a project's page tells of each."""
    return [
        Entry(
            each.event.verb,
            each.event.at,
            each.event.actor,
            each.text,
            number=each.request,
            endpoint=each.endpoint,
            data=each.event.data,
            rule=each.rule,
            sentence=each.sentence,
        )
        for each in rows
    ]


def proofs_of(decisions: Collection[Decision]) -> dict[int, Proof]:
    """{decision id: its proof} from the stored snapshots, in a fixed number of queries."""
    lines: dict[int, list[DecisionLine]] = defaultdict(list)
    for line in (
        DecisionLine.objects.filter(decision__in=decisions)
        .select_related("line__offering__resource", "line__offering__zone__region", "source__unit")
        .order_by("pk")
    ):
        lines[line.decision_id].append(line)
    links = [
        link
        for decision in decisions
        for chain in decision.snapshot.get("chains", {}).values()
        for link in chain
    ]
    users = User.objects.in_bulk({link["user"] for link in links if link["user"]})
    groups = Group.objects.in_bulk({link["group"] for link in links if link["group"]})
    units = {path: Unit(path=path).label for path in {link["unit_path"] for link in links}}
    return {
        decision.pk: Proof(
            decision=decision.pk,
            rule_version=decision.snapshot.get("rule_version", 0),
            chains=tuple(
                tuple(
                    Link(
                        delegation=link["delegation"],
                        holder=users.get(link["user"]) or groups.get(link["group"]),
                        unit=units[link["unit_path"]],
                        starts_at=datetime.fromisoformat(link["starts_at"]),
                        ends_at=datetime.fromisoformat(link["ends_at"])
                        if link["ends_at"]
                        else None,
                    )
                    for link in chain
                )
                for chain in decision.snapshot.get("chains", {}).values()
            ),
            lines=tuple(lines[decision.pk]),
        )
        for decision in decisions
    }
