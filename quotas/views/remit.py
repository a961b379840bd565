"""What I may give and how much of it is used, from whom I have it, and whom I handed what."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from portal.lib.errors import NotVisible
from portal.lib.moments import last_day
from projects.models import Delegation, Unit
from projects.queries.delegations import (
    below_counts,
    handed_on,
    standing,
    visible_delegations,
)
from projects.queries.deputies import left_behind
from projects.queries.viewers import Viewer
from projects.rules import may_hand_on, may_oversee, may_revoke, may_see_orphans
from projects.states import GIVING, Power
from projects.views.viewer import viewer_of
from quotas.models import DelegationBound
from quotas.queries.authority import Mandate, mandate_of, mandates_held
from quotas.queries.delegation_tree import find_in_force, tree_of, with_chains
from quotas.queries.totals import Total, totals_of, totals_of_rows, worth_showing
from quotas.views.bounds import bound_words

from .pages import is_slug, page_of

SOON = timedelta(days=30)
# A deputy whose grantor left the group by which they held it; `standing` says "interrupted".
LEFT_BEHIND = "left behind"
OVER = ("revoked", "ended", "interrupted", LEFT_BEHIND)


@dataclass(frozen=True)
class TermRow:
    """One bound and what is consumed of its total, for each power that gives."""

    bound: DelegationBound
    totals: list[Total]


@dataclass(frozen=True)
class Held:
    """A delegation with its chain, each link's bounds in words, and how it stands.

    `gives`: it is about amounts; others are about what may be done in the zones of `bounds`.
    """

    delegation: Delegation
    chain: list[tuple[Delegation, str]]
    bounds: tuple[DelegationBound, ...]
    rows: list[TermRow]
    standing: str
    gives: bool
    powers: list[str]

    @property
    def has_totals(self) -> bool:
        return any(row.totals for row in self.rows)


@dataclass(frozen=True)
class Child:
    """What was handed on directly, what is used of its totals, and how much hangs from it."""

    delegation: Delegation
    standing: str
    totals: list[Total] = field(default_factory=list)
    below_count: int = 0
    may_revoke: bool = False
    ends_soon: bool = False

    @property
    def last_day(self) -> date | None:
        """The last day on which it holds, if it ends."""
        ends_at = self.delegation.ends_at
        return None if ends_at is None else last_day(ends_at)


@shows("own")
@require_safe
def remit(request: HttpRequest) -> HttpResponse:
    """My delegations in force, and what was made from them."""
    viewer = viewer_of(request)
    mandates = mandates_held(viewer)
    held = _all_held(viewer, mandates)
    children = _children(viewer, [each.delegation for each in held])
    in_use = [each for each in children if each.standing not in OVER]
    ends = [each.delegation for each in held if _ends_soon(each.delegation, viewer)]
    context = {
        "here": "remit",
        "viewer": viewer,
        "held": held,
        "gives": any(each.gives for each in held),
        "children": [each for each in in_use if not each.delegation.is_deputy],
        "deputies": [each for each in in_use if each.delegation.is_deputy],
        "over": [each for each in children if each.standing in OVER],
        "ends": ends,
        "may_hand_on": may_hand_on(viewer),
        "may_oversee": may_oversee(viewer),
        "sees_orphans": may_see_orphans(viewer),
    }
    return render(request, "remit/remit.html", context)


@shows("delegation")
@require_safe
def delegation_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One delegation: its terms, its chain and what was made from it."""
    viewer = viewer_of(request)
    delegation = visible_delegations(viewer).select_related("replaces").filter(pk=pk).first()
    if delegation is None:
        raise NotVisible(_("There is no such delegation."))
    mandate = mandate_of(delegation)
    totals = totals_of([delegation], None, viewer.now).get(pk, [])
    children = _children(viewer, [delegation])
    is_open, word = delegation.revoked_at is None, _words([delegation], viewer)[pk]
    context = {
        "here": "remit",
        "viewer": viewer,
        "each": _held(mandate, word, totals),
        "children": [each for each in children if each.standing not in OVER],
        "over": [each for each in children if each.standing in OVER],
        "may_revoke": is_open and may_revoke(viewer, delegation),
        "may_hand_on": delegation.depth > 0 and pk in {each.pk for each in viewer.delegations},
        "replaced_by": delegation.replaced_by.order_by("pk").first() if word in OVER else None,
    }
    return render(request, "remit/delegation_detail.html", context)


@shows("own")
@require_safe
def delegation_tree(request: HttpRequest) -> HttpResponse:
    """`?top=` what hangs from one; `?person=`, `?unit=` and `?power=` leave a list."""
    viewer = viewer_of(request)
    text = request.GET.get("person", "").strip()[:100].replace("\x00", "")
    slug, power = request.GET.get("unit", ""), request.GET.get("power", "")
    unit = Unit.objects.filter(slug=slug).first() if is_slug(slug) else None
    top = _top(viewer, request.GET.get("top", ""))
    is_filtered = bool(text or slug or power in Power.values)
    context = {
        "here": "remit",
        "viewer": viewer,
        "person": text,
        "unit": slug,
        "power": power,
        "powers": Power.choices,
        "top": top,
        "is_filtered": is_filtered,
    }
    if is_filtered and not (slug and unit is None):
        page = page_of(request, find_in_force(viewer, text=text, unit=unit, power=power), 50)
        context |= {"page": page, "found": with_chains(page.rows)}
    elif not is_filtered:
        context |= {"nodes": tree_of(viewer, top), "crumbs": with_chains([top] if top else [])}
    return render(request, "remit/tree.html", context)


def _top(viewer: Viewer, text: str) -> Delegation | None:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    return visible_delegations(viewer).filter(pk=int(text)).first()


def _all_held(viewer: Viewer, mandates: Sequence[Mandate]) -> list[Held]:
    rows = [row for each in mandates for row in each.bounds[each.delegation.pk]]
    by_pk = {each.delegation.pk: each.delegation for each in mandates}
    totals = totals_of_rows(rows, by_pk, None, viewer.now)
    return [
        # The link comes with the people and the unit that the page names.
        _held(
            replace(each, delegation=each.chain[-1]), "in force", totals.get(each.chain[-1].pk, [])
        )
        for each in mandates
    ]


def _held(mandate: Mandate, word: str, totals: Sequence[Total]) -> Held:
    bounds = mandate.bounds[mandate.delegation.pk]
    shown = worth_showing(totals)
    return Held(
        delegation=mandate.delegation,
        chain=[(link, _link_words(mandate, link)) for link in mandate.chain],
        bounds=bounds,
        rows=[TermRow(row, [each for each in shown if each.bound.pk == row.pk]) for row in bounds],
        standing=word,
        gives=_gives(mandate.delegation),
        powers=_powers(mandate.delegation),
    )


def _gives(delegation: Delegation) -> bool:
    return any(power in delegation.powers for power in GIVING)


def _powers(delegation: Delegation) -> list[str]:
    return [str(Power(each).label) for each in delegation.powers]


def _link_words(mandate: Mandate, link: Delegation) -> str:
    if _gives(link):
        return bound_words(mandate.bounds[link.pk])
    return f"{', '.join(_powers(link))}."


def _children(viewer: Viewer, delegations: Sequence[Delegation]) -> list[Child]:
    found = handed_on(viewer, delegations)
    totals = totals_of(found, None, viewer.now)
    counts = below_counts(found, viewer.now)
    words = _words(found, viewer)
    return [
        Child(
            delegation=each,
            standing=words[each.pk],
            totals=worth_showing(totals.get(each.pk, [])),
            below_count=counts.get(each.pk, 0),
            may_revoke=each.revoked_at is None and may_revoke(viewer, each),
            ends_soon=_ends_soon(each, viewer),
        )
        for each in found
    ]


def _words(delegations: Sequence[Delegation], viewer: Viewer) -> dict[int, str]:
    """{delegation id: how it stands}; a query only where something is interrupted."""
    words = {each.pk: standing(each, viewer.now) for each in delegations}
    interrupted = [each for each in delegations if words[each.pk] == "interrupted"]
    return words | dict.fromkeys(left_behind(interrupted, viewer.now), LEFT_BEHIND)


def _ends_soon(delegation: Delegation, viewer: Viewer) -> bool:
    ends_at = delegation.ends_at
    return ends_at is not None and viewer.now < ends_at <= viewer.now + SOON
