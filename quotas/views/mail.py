"""Mail, for those who operate: whether it goes out, what did not, and sending it again."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import Forbidden
from projects.actions.letters import send_again
from projects.models import Letter
from projects.outgoing.posting import OURS
from projects.queries.mail import NOT_WELL, about, letters_in, mail_standing
from projects.queries.viewers import Viewer
from projects.rules import may_operate, may_read_mail
from projects.states import LetterState
from projects.views.viewer import viewer_of

from .pages import choice_of, page_of


@shows("mail")
@require_safe
def mail_state(request: HttpRequest) -> HttpResponse:
    """`?state=due` lists those; without it what is not well."""
    viewer = mail_reader(viewer_of(request))
    state = choice_of(request.GET, "state", LetterState, None)
    page = page_of(request, letters_in([state] if state else NOT_WELL))
    standing = mail_standing(viewer.now)
    context = {
        "here": "endpoints",
        "tab": "mail",
        "mail": standing,
        "not_well_count": sum(standing.counts.get(each, 0) for each in NOT_WELL),
        "states": [(each, standing.counts.get(each, 0)) for each in LetterState],
        "state": state or "",
        "page": page,
        "rows": [(each, about(each), _said(each)) for each in page.rows],
        "again": NOT_WELL,
        "may_operate": may_operate(viewer),
    }
    return render(request, "operations/mail.html", context)


@shows("operators")
@require_POST
def letter_send_again(request: HttpRequest, pk: int) -> HttpResponse:
    viewer = mail_reader(viewer_of(request))
    letter = get_object_or_404(Letter, pk=pk)
    send_again(letter=letter, actor=viewer.user, now=viewer.now)
    messages.success(request, _("The letter is sent again now."))
    return redirect("mail_state")


def _said(letter: Letter) -> str:
    """The server's words as they are; our own in the reader's language."""
    return _(letter.words) if letter.words in OURS else letter.words


def mail_reader(viewer: Viewer) -> Viewer:
    """Who may read about mail; raises Forbidden."""
    if not may_read_mail(viewer):
        raise Forbidden(_("How mail is sent is for operators and auditors."))
    return viewer
