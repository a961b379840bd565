"""Who asks, and at which moment: worked out once for each HTTP request."""

from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone

from projects.queries.viewers import Viewer


def viewer_of(request: HttpRequest, now: datetime | None = None) -> Viewer:
    """The signed-in person as a Viewer; its `now` is the request's one moment.

    now: that moment, where something was done before anybody asked for the viewer.
    """
    viewer: Viewer | None = getattr(request, "_viewer", None)
    if viewer is None:
        viewer = Viewer.of(request.user, now or timezone.now())  # type: ignore[arg-type]  # signed in
        request._viewer = viewer  # type: ignore[attr-defined]  # kept for this request
    return viewer


def keep_viewer(request: HttpRequest, viewer: Viewer) -> Viewer:
    """Have `viewer_of` answer with the viewer that was read beside something else."""
    request._viewer = viewer  # type: ignore[attr-defined]  # as above
    return viewer
