"""The floor of a change: one row and one line of history, in one transaction."""

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from projects.models import Event, User
from quotas.models import Comment


@login_required
@require_POST
@csrf_protect
def write(request: HttpRequest, number: int) -> HttpResponse:
    """Say something on a request, note that it was said, and lead back to its page."""
    user, now = request.user, timezone.now()
    assert isinstance(user, User)  # noqa: S101 - login_required saw to it
    with transaction.atomic():
        comment = Comment.objects.create(
            request_id=number, author=user, text=request.POST.get("text", ""), at=now
        )
        Event.objects.create(
            at=now, actor=user, verb="commented", subject_kind="request", subject_id=number,
            data={"comment": comment.pk},
        )  # fmt: skip
    return redirect("request", number=number)
