"""Which names the clouds' projects have, stored for those who hold no credentials to ask.

A listing is read page by page. What a whole one did not show is forgotten; one that broke off, or
that Keystone cut, adds and forgets nothing.
"""

import logging
from datetime import datetime
from uuid import UUID

from django.conf import settings

from projects.models import TAG_PREFIX, Project
from quotas.backends.base import ProjectPage
from quotas.backends.errors import BackendError
from quotas.backends.registry import UnknownDriver
from quotas.models import Endpoint, KnownName

from .calling import calling
from .clouds import identity_driver
from .leases import READABLE, may_call
from .permits import Busy

logger = logging.getLogger(__name__)

# At a thousand projects each; a cloud that has more is read as far as that.
MOST_PAGES = 200


def read_names(now: datetime) -> None:
    """List the projects of every identity endpoint that answers."""
    for identity in Endpoint.objects.filter(identity__isnull=True).order_by("pk"):
        if not may_call(identity, *READABLE):
            continue
        try:
            count = _read(identity, now)
        except Busy:
            continue  # the next sweep finds a better moment
        except (BackendError, UnknownDriver) as error:
            logger.warning("names were not read", extra={"error": f"{identity.slug}: {error}"})
        else:
            logger.info("names were read", extra={"endpoint": identity.slug, "count": count})


def _read(identity: Endpoint, now: datetime) -> int:
    """How many projects were listed."""
    count, after = 0, ""
    for _page in range(MOST_PAGES):
        page = _page_of(identity, after)
        _keep(identity, page, now)
        count += len(page.projects)
        if page.after is None:
            if not page.is_cut:
                KnownName.objects.filter(identity=identity, seen_at__lt=now).delete()
            break
        after = page.after
    return count


def _page_of(identity: Endpoint, after: str) -> ProjectPage:
    with calling(identity, observing=True):
        page: ProjectPage = identity_driver(identity).list_projects(
            after, timeout=settings.CALL_TIMEOUT_SECONDS
        )
    return page


def _keep(identity: Endpoint, page: ProjectPage, now: datetime) -> None:
    ours = _ours(page)
    KnownName.objects.bulk_create(
        [
            KnownName(
                identity=identity,
                external_id=each.external_id,
                name=each.name.casefold()[:255],
                is_ours=bool(each.tags & ours),
                seen_at=now,
            )
            for each in {each.external_id: each for each in page.projects}.values()
        ],
        update_conflicts=True,
        unique_fields=["identity", "external_id"],
        update_fields=["name", "is_ours", "seen_at"],
    )


def _ours(page: ProjectPage) -> set[str]:
    """The tags on this page that are of projects of this Remit; another's are not ours."""
    tags = {
        tag.removeprefix(TAG_PREFIX): tag
        for each in page.projects
        for tag in each.tags
        if tag.startswith(TAG_PREFIX)
    }
    known = Project.objects.filter(public_id__in=[each for each in tags if _is_uuid(each)])
    return {f"{TAG_PREFIX}{each}" for each in known.values_list("public_id", flat=True)}


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
