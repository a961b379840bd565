"""Which names the clouds' projects have, stored for those who hold no credentials to ask.

A listing is read page by page. What a whole one did not show is forgotten; one that broke off, or
that Keystone cut, adds and forgets nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.conf import settings

from portal.lib.plain import storable
from projects.models import TAG_PREFIX, Project
from quotas.backends.base import ProjectPage
from quotas.models import Endpoint, KnownName

from .clouds import identity_driver

# At a thousand projects each; a cloud that has more is read as far as that.
MOST_PAGES = 200


def listed_pages(identity: Endpoint, now: datetime) -> Iterator[ProjectPage]:
    """The list of projects of an identity endpoint page by page, each once its names are kept.

    Whoever reads it gives its calls their turns (`turns`), and bounds each of them.
    """
    after = ""
    for _page in range(MOST_PAGES):
        page: ProjectPage = identity_driver(identity).list_projects(
            after, timeout=settings.SURVEY_TIMEOUT_SECONDS
        )
        _keep(identity, page, now)
        if page.after is None and not page.is_cut:
            KnownName.objects.filter(identity=identity, seen_at__lt=now).delete()
        yield page
        if page.after is None:
            return
        after = page.after


def _keep(identity: Endpoint, page: ProjectPage, now: datetime) -> None:
    ours = _ours(page)
    KnownName.objects.bulk_create(
        [
            KnownName(
                identity=identity,
                external_id=each.external_id,
                name=storable(each.name).casefold()[:255],
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
