"""Asking the rules inside the lock: may this person decide this line, and so much?"""

from collections.abc import Collection

from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Forbidden, NotVisible
from projects.queries.viewers import Viewer, roles_in, visible_projects
from projects.rules import has_an_interest
from quotas.models import QuotaRequest, RequestLine
from quotas.queries.authority import Mandate
from quotas.rules import asked_by


def barred(viewer: Viewer, quota_request: QuotaRequest, mandates: Collection[Mandate]) -> None:
    """Raise NotVisible or Forbidden unless the person may decide for the project at all."""
    project = quota_request.project
    if not visible_projects(viewer).filter(pk=project.pk).exists():
        raise NotVisible(_("There is no such request."))
    if quota_request.submitted_at is None:
        raise NotVisible(_("There is no such request."))
    if has_an_interest(roles_in(viewer, project)):
        raise Forbidden(
            _("You hold a role in %(project)s: somebody else must decide.")
            % {"project": project.name},
            project=project.slug,
        )
    if viewer.user.pk in asked_by(quota_request):
        raise Forbidden(_("You had a part in asking for this: somebody else must decide."))
    if not mandates:
        raise Forbidden(
            _("You hold no delegation that lets you decide quota for %(unit)s.")
            % {"unit": project.unit.label},
            unit=project.unit.slug,
        )


def reaching(mandates: Collection[Mandate], line: RequestLine) -> list[Mandate]:
    """The mandates, one at least, that say anything about the line; raises Forbidden."""
    found = [each for each in mandates if each.reaches(line.offering)]
    if not found:
        offering = line.offering
        words = {"resource": offering.resource.name, "zone": offering.zone.name}
        raise Forbidden(
            _(
                "Your remit says nothing about %(resource)s in %(zone)s: leave the line to "
                "somebody above you."
            )
            % words,
            offering=offering.slug,
            bound="offering",
        )
    return found


def choose_mandate(mandates: Collection[Mandate], line: RequestLine, increase: int) -> Mandate:
    """The nearest mandate that allows the increase; raises Forbidden with the bound."""
    about = reaching(mandates, line)
    for mandate in about:
        if mandate.allows(line.offering, increase):
            return mandate
    bounds = [each.most_per_decision(line.offering) for each in about]
    most = max(each for each in bounds if each is not None)
    resource = line.offering.resource
    raise Forbidden(
        _(
            "Your remit allows %(most)s of %(resource)s in %(zone)s per decision; this one adds "
            "%(asked)s. Grant less, or leave the line to somebody above you."
        )
        % {
            "most": format_amount(most, resource.unit),
            "asked": format_amount(increase, resource.unit),
            "resource": resource.name,
            "zone": line.offering.zone.name,
        },
        offering=line.offering.slug,
        bound="per_decision",
        most=most,
        asked=increase,
    )
