"""Mail: what one wants of it, and for those who operate how it is and what was not sent."""

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Forbidden
from projects.actions.letters import send_again
from projects.actions.mail_choices import set_mail_choices
from projects.models import Letter
from projects.outgoing.letters import is_mail_on
from projects.outgoing.mail_choices import wanted_by
from projects.queries.mail import letters_in, mail_standing
from projects.queries.viewers import Viewer
from projects.rules import may_read_mail
from projects.states import LetterState, TokenScope

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, WRITE, operation
from .doors import api_view
from .fields import Filters
from .pages import answer_page, page_of
from .scopes import needs
from .shapes.mail import (
    EXAMPLE,
    LetterSerializer,
    MailChoicesInput,
    MailChoicesSerializer,
    MailSerializer,
)
from .shapes.requests import NothingInput

TAG = "mail"


class LetterFilters(Filters):
    state = serializers.ChoiceField(choices=LetterState.values, required=False)


@needs(TokenScope.LISTEN)
@shows("own")
@operation(
    "get_mail_choices", "Tell what you get by mail", answers=MailChoicesSerializer, refuses=READ,
    tag=TAG,
)  # fmt: skip
@operation(
    "set_mail_choices", "Choose what you get by mail", method="PUT", body=MailChoicesInput,
    answers=MailChoicesSerializer, refuses=WRITE, tag=TAG, sent=EXAMPLE,
    about="At once, in the day's digest, or not; it holds for the next mail.",
)  # fmt: skip
@api_view(["GET", "PUT"])
def mail_choices(request: Request) -> Response:
    viewer = viewer_in(request)
    if viewer.place is not None:
        raise Forbidden(_("A service account gets no mail: this is for people."))
    if request.method == "PUT":
        sent = body(request, MailChoicesInput)
        set_mail_choices(
            ways=sent.get("kinds", {}), digest_hour=sent.get("digest_hour"), actor=viewer.user
        )
    wanted = wanted_by([viewer.user.pk])[viewer.user.pk]
    return Response(MailChoicesSerializer(wanted, context={"is_mail_on": is_mail_on()}).data)


@shows("mail")
@operation(
    "get_mail", "Tell how mail is", answers=MailSerializer, refuses=(*READ, 403), tag=TAG,
    about="For operators and auditors.",
)  # fmt: skip
@api_view(["GET"])
def mail_state(request: Request) -> Response:
    viewer = _reader(request)
    return Response(MailSerializer(mail_standing(viewer.now)).data)


@shows("mail")
@operation(
    "list_letters", "List letters and what became of them",
    answers=page_of(LetterSerializer, "-id", "id"), refuses=(*LIST, 403), tag=TAG,
    filters=[LetterFilters], about="The newest first. For operators and auditors.",
)  # fmt: skip
@api_view(["GET"])
def letter_list(request: Request) -> HttpResponseBase:
    asked = filters(request, LetterFilters)
    _reader(request)
    states = [asked["state"]] if "state" in asked else LetterState.values
    return answer_page(request, letters_in(states), LetterSerializer)


@shows("operators")
@operation(
    "send_letter_again", "Send a letter again", method="POST", body=NothingInput,
    answers=LetterSerializer, refuses=WRITE, tag=TAG,
    about="One that was refused, given up, or perhaps sent: its reader may get it twice.",
)  # fmt: skip
@api_view(["POST"])
def letter_send_again(request: Request, pk: int) -> Response:
    viewer = _reader(request)
    letter = one(Letter.objects.select_related("person"), pk=pk)
    body(request, NothingInput)
    send_again(letter=letter, actor=viewer.user, now=viewer.now)
    return Response(LetterSerializer(letter).data)


def _reader(request: Request) -> Viewer:
    viewer = viewer_in(request)
    if not may_read_mail(viewer):
        raise Forbidden(_("How mail is sent is for operators and auditors."))
    return viewer
