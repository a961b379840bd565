"""At which shares of its limits a project's people are told, beside those of the site."""

from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import Forbidden, Invalid, NotVisible, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import Project, User
from projects.queries.viewers import Viewer, roles_in, visible_projects
from projects.rules import may_ask
from quotas.models import UsageThresholds

STALE_WORDS = gettext_lazy("The shares of %(project)s were changed meanwhile. Look again.")


def set_thresholds(
    *, project: Project, percents: Collection[int], version: int | None, actor: User, now: datetime
) -> UsageThresholds:
    """Have owners and managers told at these whole per cents, too; empty: at the site's alone.

    version: what the person saw, 1 where nothing was ever set; None: whatever it was. By owners
    and managers. What is above a share already is told at the next reading. Raises NotVisible,
    Forbidden, Stale, Invalid.
    """
    with transaction.atomic():
        rows = lock(Project.objects.filter(pk=project.pk).select_related("unit"))
        viewer = Viewer.of(actor, now)
        if not rows or not visible_projects(viewer).filter(pk=project.pk).exists():
            raise NotVisible(_("There is no such project."))
        if not may_ask(roles_in(viewer, rows[0])):
            raise Forbidden(_("Only an owner or a manager of the project can do that."))
        before = thresholds_of(rows[0])
        if version is not None and version != before.version:
            raise Stale(STALE_WORDS % {"project": project.name}, version=before.version)
        chosen = _checked(percents)
        if chosen == before.percents:
            return before
        found, _made = UsageThresholds.objects.update_or_create(
            project=rows[0], defaults={"percents": chosen, "version": before.version + 1}
        )
        record(
            "thresholds set", actor=actor, now=now, project=rows[0], unit=rows[0].unit,
            subject_kind="project", subject_id=rows[0].pk, percents=chosen,
        )  # fmt: skip
    return found


def thresholds_of(project: Project) -> UsageThresholds:
    """What a project says itself; an unsaved row where it never did."""
    found = UsageThresholds.objects.filter(project=project).first()
    return found or UsageThresholds(project=project, percents=[])


def _checked(percents: Collection[int]) -> list[int]:
    """Rising, each once, without those of the site: these hold anyway."""
    if any(not 1 <= each <= 100 for each in percents):
        raise Invalid({"percents": [_("Write whole per cents from 1 to 100.")]})
    chosen = sorted(set(percents) - set(settings.USAGE_THRESHOLDS))
    if len(chosen) > UsageThresholds.MOST:
        words = {"most": UsageThresholds.MOST}
        raise Invalid({"percents": [_("No more than %(most)s of a project's own.") % words]})
    return chosen
