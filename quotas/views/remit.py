"""What I may give, from whom I have it, and to whom it was handed on."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from portal.lib.errors import NotVisible
from projects.models import Delegation
from projects.queries.delegations import handed_on, standing, visible_delegations
from projects.queries.viewers import Viewer
from projects.states import Power
from projects.views.viewer import viewer_of
from quotas.models import DelegationBound
from quotas.queries.authority import Mandate, mandate_of, mandates_held
from quotas.views.bounds import bound_words

# With these the bounds say how much; with all others only where.
GIVING = (Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES)


@dataclass(frozen=True)
class Held:
    """A delegation with its chain, each link's bounds in words, and how it stands.

    `gives`: it is about amounts; others are about what may be done in the zones of `bounds`.
    """

    delegation: Delegation
    chain: list[tuple[Delegation, str]]
    bounds: tuple[DelegationBound, ...]
    standing: str
    gives: bool
    powers: list[str]


@dataclass(frozen=True)
class Child:
    delegation: Delegation
    standing: str


@shows("own")
@require_safe
def remit(request: HttpRequest) -> HttpResponse:
    """My delegations in force, and what was made from them."""
    viewer = viewer_of(request)
    held = [_held(each, "in force") for each in mandates_held(viewer)]
    context = {
        "here": "remit",
        "viewer": viewer,
        "held": held,
        "gives": any(each.gives for each in held),
        "children": _children(viewer, [each.delegation for each in held]),
    }
    return render(request, "remit/remit.html", context)


@shows("delegation")
@require_safe
def delegation_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One delegation: its terms, its chain and what was made from it."""
    viewer = viewer_of(request)
    delegation = visible_delegations(viewer).filter(pk=pk).first()
    if delegation is None:
        raise NotVisible(_("There is no such delegation."))
    context = {
        "here": "remit",
        "viewer": viewer,
        "each": _held(mandate_of(delegation), standing(delegation, viewer.now)),
        "children": _children(viewer, [delegation]),
    }
    return render(request, "remit/delegation_detail.html", context)


def _held(mandate: Mandate, word: str) -> Held:
    return Held(
        delegation=mandate.delegation,
        chain=[(link, _link_words(mandate, link)) for link in mandate.chain],
        bounds=mandate.bounds[mandate.delegation.pk],
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


def _children(viewer: Viewer, delegations: list[Delegation]) -> list[Child]:
    found = handed_on(viewer, delegations)
    return [Child(each, standing(each, viewer.now)) for each in found]
