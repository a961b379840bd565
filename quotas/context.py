"""What every page's frame shows: what was announced, how much waits, and how the clouds are.

Figures are asked for when a template shows them, so a fragment pays for none of them.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.lib.compiled import compiled
from portal.lib.together import Part
from projects.queries.viewers import Viewer
from projects.rules import (
    may_decide_somewhere,
    may_read_mail,
    may_read_operations,
    may_read_people,
)
from projects.views.viewer import viewer_of
from quotas.queries.announcements import Banner, banners_of, live_banners
from quotas.queries.operations import Clouds, all_clouds, clouds_of
from quotas.queries.queue_heads import waiting_count


def frame(request: HttpRequest) -> dict[str, Any]:
    """The variables of templates/base.html. Two queries beside the viewer's, if shown."""
    user = getattr(request, "user", None)  # an error before sign-in was looked at has none
    if user is None or not user.is_authenticated:
        return {"cloud_state": None, "banners": []}
    viewer = viewer_of(request)
    framed = cache(lambda: _framed(viewer))
    return {
        "now": viewer.now,
        "is_operator": may_read_operations(viewer),
        "reads_mail": may_read_mail(viewer),
        "reads_people": may_read_people(viewer),
        "queue_count": _once(lambda: _queue_count(viewer)),
        "banners": lambda: framed()[0],
        "cloud_state": _once(lambda: _cloud_state(framed()[1])),
    }


def _once(ask: Callable[[], Any]) -> Callable[[], Any]:
    """Templates call what they show; asked a second time the answer is the same."""
    return cache(ask)


def _queue_count(viewer: Viewer) -> int:
    """How many requests wait, counted no further than the frame can say ("99+")."""
    return waiting_count(viewer) if may_decide_somewhere(viewer) else 0


def _framed(viewer: Viewer) -> tuple[list[Banner], Clouds]:
    """What is announced, and the clouds, in one statement.

    So a page without a banner asks nothing more than it did, and one that was just announced,
    dismissed or withdrawn is right at once, in every process: nothing is remembered.
    """
    banners, clouds = _frame(user=viewer.user.pk, now=viewer.now)
    return banners_of(banners), clouds_of(clouds)


@compiled
def _frame(*, user: Any, now: Any) -> list[Part]:
    return [live_banners(user=user, now=now), all_clouds()]


def _cloud_state(clouds: Clouds) -> dict[str, Any] | None:
    if clouds.count == 0:
        return None
    if clouds.silent_count:
        words = _("%(silent)s of %(count)s services do not answer")
        look = {"icon": "plug", "tone": "bad"}
    elif clouds.unread_count:
        words = _("%(unread)s of %(count)s services were not read yet")
        look = {"icon": "clock", "tone": ""}
    else:
        words = _("%(count)s services answer")
        look = {"icon": "check", "tone": "ok"}
    figures = {
        "count": clouds.count, "silent": clouds.silent_count, "unread": clouds.unread_count
    }  # fmt: skip
    return {"words": words % figures, "read_at": clouds.answered_at, **look}
