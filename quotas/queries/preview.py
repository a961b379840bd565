"""What a wish would do before it is sent: what changes, what it counts against, who decides.

Figures of envelopes and zones only for who may see them; everybody else gets a word.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount, format_exact, format_pair
from portal.lib.compiled import compiled
from portal.lib.together import Part, Values
from projects.models import Group, Project, User
from projects.queries.viewers import Viewer
from projects.rules import may_see_figures
from quotas.models import (
    Account,
    Contribution,
    Limit,
    Offering,
    PolicyVersion,
    Reading,
    RequestLine,
    UsagePeak,
)
from quotas.states import PENDING, EndpointState

from .accounts import Fill, balances, envelope_fills, room_word, sources, zone_fills
from .authority import delegate_of
from .deciders import Deciders, deciders_of_wish
from .outlooks import outlooks
from .policy_words import RuleSays, outlook_words
from .shapes import contributions

LOW_USE_PERCENT = 60
PEAK_DAYS = 30


@dataclass(frozen=True)
class Warn:
    """Something to know before sending; `code` names it for programs and for the docs."""

    code: str
    text: str
    hint: str = ""
    tone: str = "warn"
    number: int | None = None  # of the request that the text is about


@dataclass(frozen=True)
class Decider:
    """Who decides a line: people or groups who are equally near, and for which unit."""

    names: tuple[User | Group, ...]
    unit: str


@dataclass(frozen=True)
class Room:
    """What a line counts against: as a word, and as figures for who may see them."""

    word: str
    holder: str
    envelope: Fill | None
    zone: Fill | None


@dataclass(frozen=True)
class PreviewLine:
    """What one line of a wish would do."""

    offering: Offering
    now: int
    wanted: int
    room: Room
    decider: Decider | None
    pending_number: int | None
    # What would grant it at once, and what each rule about it says.
    rule: PolicyVersion | None = None
    rules: tuple[RuleSays, ...] = ()

    @property
    def change(self) -> int:
        return self.wanted - self.now

    @property
    def unit(self) -> str:
        return self.offering.resource.unit

    @property
    def quota_unit(self) -> str:
        """Of what the project has and wants."""
        return self.offering.resource.quota_unit


@dataclass(frozen=True)
class Preview:
    """Every line of a wish, and what to know before sending it."""

    lines: tuple[PreviewLine, ...]
    warnings: tuple[Warn, ...]
    has_figures: bool


def preview(
    viewer: Viewer, project: Project, wanted: Mapping[Offering, int], *,
    all_or_nothing: bool = False, requester: User | None = None, involved: Collection[int] = (),
) -> Preview:  # fmt: skip
    """wanted: {offering: absolute limit in base units}; what stays as it is says nothing.

    requester: in whose name it would be sent, if not in the viewer's own; involved: ids of
    people who would work in the project, where it is not there yet.
    """
    held = balances(project)
    changed = {
        offering: amount
        for offering, amount in wanted.items()
        if amount != held.get(offering.pk, 0)
    }
    rooms = rooms_of(viewer, project, {o: a - held.get(o.pk, 0) for o, a in changed.items()})
    deciders = deciders_of_wish(
        project, changed, viewer.user, viewer.now, requester=requester, involved=involved
    )
    has_figures = may_see_figures(viewer, project.unit.path)
    found = outlooks(project, changed, deciders, viewer.now, all_or_nothing=all_or_nothing)
    says = {
        offering.pk: outlook_words(found[offering.pk], offering, with_figures=has_figures)
        for offering in changed
        if offering.pk in found
    }
    pending = pending_numbers(project)
    lines = tuple(
        PreviewLine(
            offering=offering,
            now=held.get(offering.pk, 0),
            wanted=amount,
            room=rooms[offering.pk],
            decider=_decider(deciders[offering.pk]),
            pending_number=pending.get(offering.pk),
            rule=found[offering.pk].rule if offering.pk in found else None,
            rules=says.get(offering.pk, ()),
        )
        for offering, amount in changed.items()
    )
    today = timezone.localdate(viewer.now)
    warnings = [
        *_asked_already(lines),
        *_room_warnings(lines),
        *_use_warnings(project, lines, held, today),
        *_lost(lines),
    ]
    return Preview(lines, tuple(warnings), has_figures)


def pending_numbers(project: Project) -> dict[int, int]:
    """{offering id: number of the request in which it waits for a decision}."""
    (lines,) = _pending(project=project.pk)
    return dict(lines)


@compiled
def _pending(*, project: Any) -> list[Part]:
    lines = RequestLine.objects.filter(project=project, state__in=PENDING)
    return [Values(lines.order_by("pk"), ["offering", "request"])]


def rooms_of(viewer: Viewer, project: Project, changes: Mapping[Offering, int]) -> dict[int, Room]:
    """{offering id: the room for a change of so much}, in a fixed number of queries."""
    above = sources([offering.pk for offering in changes], project.unit.path)
    nearest_sources = {pk: accounts[0] for pk, accounts in above.items()}
    fills = envelope_fills(list(nearest_sources.values()))
    zones = zone_fills([offering.pk for offering in changes], timezone.localdate(viewer.now))
    has_figures = may_see_figures(viewer, project.unit.path)
    rooms = {}
    for offering, change in changes.items():
        source = nearest_sources.get(offering.pk)
        envelope = fills[source.pk] if source else None
        rooms[offering.pk] = Room(
            word=_worst(envelope, zones[offering.pk], max(change, 0)),
            holder=_holder(source),
            envelope=envelope if has_figures else None,
            zone=zones[offering.pk] if has_figures else None,
        )
    return rooms


def _worst(envelope: Fill | None, zone: Fill | None, need: int) -> str:
    """The envelope binds; a zone that is oversold makes it tight, never impossible."""
    if envelope is None:
        return "none"
    word = room_word(envelope, need)
    is_zone_tight = room_word(zone, need) in ("tight", "none")
    return "tight" if word == "ample" and is_zone_tight else word


def _holder(source: Account | None) -> str:
    if source is None:
        return _("nobody: none was issued yet")
    return source.unit.label if source.unit else _("the pool")


def _decider(deciders: Deciders) -> Decider | None:
    """Those of the nearest level, as they are asked once it is sent."""
    if not deciders.levels:
        return None
    able = deciders.levels[0]
    names = {(type(each), each.pk): each for each in map(delegate_of, able)}
    return Decider(tuple(names.values()), able[0].delegation.unit.label)


def _where(offering: Offering) -> dict[str, str]:
    return {"resource": offering.resource.name, "zone": offering.zone.name}


def _asked_already(lines: Collection[PreviewLine]) -> list[Warn]:
    return [
        Warn(
            "W02",
            _("%(resource)s in %(zone)s is asked for in #%(number)s already.")
            % (_where(line.offering) | {"number": line.pending_number}),
            _("Amend or withdraw that one first: this one would be refused."),
            "bad",
            line.pending_number,
        )
        for line in lines
        if line.pending_number is not None
    ]


def _room_warnings(lines: Collection[PreviewLine]) -> list[Warn]:
    warnings = []
    for line in lines:
        if line.change <= 0:
            continue
        words = _where(line.offering)
        if line.room.word == "none":
            text = _("There is no room for so much %(resource)s in %(zone)s.") % words
            hint = _("You can ask; who decides may grant less, or somebody above makes room.")
            warnings.append(Warn("W08", text, hint, "bad"))
        elif line.room.word == "tight":
            text = _("Room for %(resource)s in %(zone)s is tight: you may get less.") % words
            warnings.append(Warn("W07", text))
        zone = line.room.zone
        if zone is not None and zone.promised + line.change > zone.size:
            after, size = format_pair(zone.promised + line.change, zone.size, line.unit)
            figures = {"after": after, "size": size}
            text = _(
                "%(resource)s in %(zone)s would be oversold: %(after)s promised of %(size)s."
            ) % (words | figures)
            warnings.append(Warn("W09", text))
    return warnings


def _lost(lines: Collection[PreviewLine]) -> list[Warn]:
    return [
        Warn(
            "W20",
            _("Nobody holds authority over %(resource)s in %(zone)s for this project now.")
            % _where(line.offering),
            _("You can send it; it waits until somebody does."),
        )
        for line in lines
        if line.decider is None
    ]


def _use_warnings(
    project: Project, lines: Collection[PreviewLine], held: Mapping[int, int], today: date
) -> list[Warn]:
    """What the last readings say against a wish, limit by limit."""
    changes = {line.offering.pk: line.change for line in lines}
    feeding: dict[int, list[Contribution]] = defaultdict(list)
    every = contributions()
    limit_ids = {row.limit_id for row in every if row.offering_id in changes}
    for row in every:
        if row.limit_id in limit_ids:
            feeding[row.limit_id].append(row)
    readings = {
        reading.limit_id: reading
        for reading in Reading.objects.filter(
            target__project=project, limit__in=limit_ids
        ).select_related("limit__endpoint")
    }
    peaks = dict(
        UsagePeak.objects.filter(target__project=project, limit__in=limit_ids)
        .filter(day__gte=today - timedelta(days=PEAK_DAYS))
        .values_list("limit")
        .annotate(peak=Max("used"))
    )
    warnings: list[Warn] = []
    for limit_id, rows in sorted(feeding.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        quota = sum(held.get(row.offering_id, 0) * row.factor for row in rows)
        change = sum(changes.get(row.offering_id, 0) * row.factor for row in rows)
        warnings += _above_maximum(rows[0].limit, quota, change)
        reading = readings.get(limit_id)
        if reading is None or reading.used is None:
            continue
        highest = max(peaks.get(limit_id, 0), reading.used)
        warnings += _limit_warnings(reading, quota, change, highest)
    return _once(warnings) + _silent(readings.values())


def _above_maximum(limit: Limit, quota: int, change: int) -> list[Warn]:
    """What the service could not hold, whoever granted it."""
    if limit.maximum is None or change <= 0 or quota + change <= limit.maximum:
        return []
    words = {
        "limit": limit.name,
        "endpoint": limit.endpoint.name,
        # Every digit: the bound is one less than a round number.
        "after": format_exact(quota + change, limit.unit),
        "most": format_exact(limit.maximum, limit.unit),
    }
    text = _("%(limit)s: %(endpoint)s takes no more than %(most)s, and this would be %(after)s.")
    hint = _("It could be granted and never applied. Ask for less here, the rest elsewhere.")
    return [Warn("W10", text % words, hint, "bad")]


def _limit_warnings(reading: Reading, quota: int, change: int, highest: int) -> list[Warn]:
    if reading.used is None:
        return []
    taken = reading.used + (0 if reading.reserved is None else reading.reserved)
    used, after = format_pair(taken, quota + change, reading.limit.unit)
    words = {
        "limit": reading.limit.name,
        "endpoint": reading.limit.endpoint.name,
        "used": used,
        "after": after,
        "quota": format_amount(quota, reading.limit.quota_unit),
        "share": highest * 100 // quota if quota else 0,
        "days": PEAK_DAYS,
    }
    if change < 0 and quota + change < taken:
        text = _("%(limit)s: %(used)s in use in %(endpoint)s, above the new limit of %(after)s.")
        hint = _("It is written only once use has fallen to that.")
        return [Warn("W01", text % words, hint, "bad")]
    if change > 0 and quota and highest * 100 < quota * LOW_USE_PERCENT:
        text = _(
            "%(limit)s in %(endpoint)s: no more than %(share)s %% of %(quota)s was in use in the "
            "last %(days)s days."
        )
        return [Warn("W12", text % words, _("Say in the reason what will fill it."))]
    return []


def _silent(readings: Collection[Reading]) -> list[Warn]:
    endpoints = {reading.limit.endpoint for reading in readings}
    return [
        Warn(
            "W30",
            _("%(endpoint)s does not answer now.") % {"endpoint": endpoint.name},
            _("What is approved is applied as soon as it does."),
        )
        for endpoint in sorted(endpoints, key=lambda each: each.slug)
        if endpoint.state == EndpointState.UNREACHABLE
    ]


def _once(warnings: Collection[Warn]) -> list[Warn]:
    """A total and its only part would say the same twice."""
    return list(dict.fromkeys(warnings))
