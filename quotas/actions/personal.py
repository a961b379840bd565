"""A project of one's own, by the site's policy: asked for as somebody first signs in.

It is asked for like any other, in the unit and with the preset that the site names, so that
whoever decides there, or a rule of theirs, grants it within their bounds. Renewed by its owner,
closed when they leave.
"""

import logging
import re
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from portal.lib.locks import lock
from projects.actions.project_names import MAX_NAME, free_name
from projects.models import Membership, ProjectKind, Unit, User
from projects.states import Role
from quotas.models import Preset, QuotaRequest

from .proposing import Proposal, propose
from .wishes import Wish

logger = logging.getLogger(__name__)


def ask_for_personal(*, user: User, first_time: bool, now: datetime) -> QuotaRequest | None:
    """Ask for the person's own project unless they ever had one; None: nothing was asked for.

    A step of `settings.ARRIVAL_STEPS`: in a transaction, at each sign-in, as one that failed is
    not tried otherwise. `first_time` does not matter: the policy may be newer than the person.
    """
    del first_time
    if not settings.PERSONAL_PROJECT_UNIT or not user.is_active:
        return None
    lock(User.objects.filter(pk=user.pk))
    if has_had_one(user):
        return None
    unit = Unit.objects.filter(slug=settings.PERSONAL_PROJECT_UNIT, retired_at=None).first()
    preset = Preset.objects.filter(slug=settings.PERSONAL_PROJECT_PRESET).first()
    if unit is None or preset is None:
        logger.error("PERSONAL_PROJECT_UNIT or PERSONAL_PROJECT_PRESET names nothing that is there")
        return None
    with override(settings.LANGUAGE_CODE):
        purpose = _("Personal project of %(name)s.") % {"name": user}
    today = timezone.localdate(now, timezone.get_default_timezone())
    proposal = Proposal(
        name=free_name(name_for(user)),
        purpose=purpose,
        description=purpose,
        unit=unit,
        kind=ProjectKind.PERSONAL,
        ends_on=today + timedelta(days=settings.PROJECT_RENEW_DAYS),
    )
    wanted = {each.offering.slug: each.increase for each in preset.lines.select_related("offering")}
    return propose(proposal=proposal, wish=Wish(wanted, purpose), actor=user, now=now)


def has_had_one(user: User) -> bool:
    """Whether the person owns a personal project, or ever did: who closed theirs wants none."""
    return Membership.objects.filter(
        user=user, role=Role.OWNER, project__kind=ProjectKind.PERSONAL
    ).exists()


def name_for(user: User) -> str:
    """What the person's own project is called: by what the provider calls them."""
    plain = re.sub(r"[^a-z0-9]+", "-", user.subject.split("@")[0].lower()).strip("-")
    return f"personal-{plain or user.pk}"[:MAX_NAME]
