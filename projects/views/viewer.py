"""Who asks, and at which moment: worked out once for each HTTP request."""

from django.http import HttpRequest
from django.utils import timezone

from projects.queries.viewers import Viewer


def viewer_of(request: HttpRequest) -> Viewer:
    """The signed-in person as a Viewer; its `now` is the request's one moment."""
    viewer: Viewer | None = getattr(request, "_viewer", None)
    if viewer is None:
        viewer = Viewer.of(request.user, timezone.now())  # type: ignore[arg-type]  # signed in
        request._viewer = viewer  # type: ignore[attr-defined]  # kept for this request
    return viewer
