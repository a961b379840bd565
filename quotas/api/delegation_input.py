"""What a body hands on, and to whom; and what that would do, in words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.lib.errors import Forbidden, Invalid
from projects.actions.delegations import Terms
from projects.models import Delegation, Unit, User
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.actions.bounds import Bound
from quotas.actions.handing import hand_on_preview
from quotas.models import Resource, Zone
from quotas.queries.delegates import Delegate, delegate_of_key

from .asked import body
from .shapes.delegations import DelegationInput

HandedOn = tuple[Delegation, Terms, list[Bound], Delegate]


def in_words(read: HandedOn, viewer: Viewer) -> dict[str, Any]:
    """What handing this on would do, in words; asked as long as it is not done."""
    parent, terms, bounds, delegate = read
    preview = hand_on_preview(parent, terms, bounds, delegate.size, viewer.now)
    warns = [each.text for each in preview.warns]
    return {"does": preview.does, "warns": warns, "reasons": preview.reasons}


def read_terms(request: Request, viewer: Viewer) -> HandedOn:
    """What a body hands on, and to whom; raises Invalid, and Forbidden for others' delegations."""
    sent = body(request, DelegationInput)
    parent = own_delegation(viewer, sent["parent"])
    errors: dict[str, list[str]] = {}
    unit = Unit.objects.filter(slug=sent["unit"]).first()
    if unit is None:
        errors["unit"] = [_("There is no such unit.")]
    to = sent["delegate"]
    delegate = delegate_of_key(f"{to['kind']}:{to['id']}", viewer.now)
    if delegate is None:
        errors["delegate"] = [_("There is no such person or group.")]
    bounds, unknown = _bounds(sent["bounds"])
    errors |= unknown
    if errors or unit is None or delegate is None:
        raise Invalid(errors)
    holder = delegate.holder
    terms = Terms(
        unit=unit,
        powers=[Power(each) for each in sent["powers"]],
        starts_at=sent["starts_at"] or viewer.now,
        ends_at=sent["ends_at"],
        depth=sent["depth"],
        user=holder if isinstance(holder, User) else None,
        group=None if isinstance(holder, User) else holder,
        purpose=sent["purpose"],
    )
    return parent, terms, bounds, delegate


def _bounds(rows: Sequence[dict[str, Any]]) -> tuple[list[Bound], dict[str, list[str]]]:
    resources = {each.slug: each for each in Resource.objects.all()}
    zones = {f"{each.region.slug}.{each.slug}": each
             for each in Zone.objects.select_related("region")}  # fmt: skip
    bounds, errors = [], {}
    for index, row in enumerate(rows):
        resource, zone = resources.get(row["resource"]), zones.get(row["zone"])
        if row["resource"] is not None and resource is None:
            errors[f"bounds.{index}"] = [_("There is no such resource.")]
        elif row["zone"] is not None and zone is None:
            errors[f"bounds.{index}"] = [_("There is no such zone.")]
        bounds.append(Bound(**row | {"resource": resource, "zone": zone}))
    return bounds, errors


@contextmanager
def named(field: str) -> Iterator[None]:
    """The domain's "user" is called by the field that was sent."""
    try:
        yield
    except Invalid as error:
        errors = {field if name == "user" else name: each for name, each in error.errors.items()}
        raise Invalid(errors, error.sentence, **error.facts) from error


def own_delegation(viewer: Viewer, pk: int) -> Delegation:
    found = next((each for each in viewer.delegations if each.pk == pk), None)
    if found is None:
        raise Forbidden(_("You do not hold that delegation now."), delegation=pk)
    return found
