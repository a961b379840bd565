"""What I want by mail, and the link of each mail that turns its kind off without a sign-in."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from portal.lib.access import shows
from projects.actions.mail_choices import set_mail_choices
from projects.mail_form import MailForm
from projects.outgoing.letters import is_mail_on
from projects.outgoing.mail_choices import wanted_by
from projects.outgoing.mail_kinds import usual
from projects.outgoing.stopping import LinkBroken, Stop, read_stop, stop
from projects.views.viewer import viewer_of


@shows("own")
@require_http_methods(["GET", "HEAD", "POST"])
def mail_choices(request: HttpRequest) -> HttpResponse:
    """One choice for each kind of notice, and the hour of the digest; a POST saves them all."""
    viewer = viewer_of(request)
    form = MailForm(
        request.POST if request.method == "POST" else None,
        wanted=wanted_by([viewer.user.pk])[viewer.user.pk],
    )
    if form.is_bound and form.is_valid():
        set_mail_choices(ways=form.ways(), digest_hour=form.hour(), actor=viewer.user)
        messages.success(request, _("Saved. It holds for the next mail."))
        return redirect("mail_choices")
    context = {"here": "me", "form": form, "viewer": viewer, "is_mail_on": is_mail_on()}
    return render(request, "me/mail.html", context, status=422 if form.is_bound else 200)


@shows("public")
@login_not_required
# Mail programs post here without a page of ours before it; the link's signature is the proof.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def mail_stop(request: HttpRequest, text: str) -> HttpResponse:
    """Say what the link turns off; a POST does it (RFC 8058). To look at it changes nothing."""
    try:
        found = read_stop(text)
    except LinkBroken:
        return render(request, "me/mail_stop.html", {"is_broken": True}, status=404)
    is_done = request.method == "POST"
    if is_done:
        stop(found)
    with translation.override(found.person.language or translation.get_language()):
        return render(request, "me/mail_stop.html", {"kinds": _labels(found), "is_done": is_done})


def _labels(found: Stop) -> list[str]:
    return [str(usual(each).words) for each in found.kinds]
