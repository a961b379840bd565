"""People for those who run the site: who is here, who has left, and saying so."""

from uuid import UUID

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.models import User
from projects.queries.viewers import Viewer
from quotas.actions.leaving import (
    check_may_close,
    check_reads_people,
    check_says_who_left,
    leave_site,
    return_to_site,
)
from quotas.queries.leaving import leaving_of, open_absence, roles_given_back
from quotas.queries.persons import held_by, people

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, WRITE, operation
from .doors import api_view
from .fields import Filters, YesNoInAddress
from .pages import answer_page, page_of
from .shapes.persons import HoldingsSerializer, LeaveInput, LeavingSerializer, PersonDetail
from .shapes.requests import NothingInput

TAG = "people"


class PersonFilters(Filters):
    name = serializers.CharField(
        required=False, max_length=100, help_text="Beginnings of words of what they are called."
    )
    subject = serializers.CharField(required=False, max_length=200)
    left = YesNoInAddress(required=False, help_text="Who has left, or who has not.")


@shows("people")
@operation(
    "list_people", "List people", answers=page_of(PersonDetail, "name", "-name"),
    refuses=(*LIST, 403), tag=TAG, filters=[PersonFilters], about="For operators and auditors.",
)  # fmt: skip
@api_view(["GET"])
def person_list(request: Request) -> HttpResponseBase:
    people_reader(request)
    asked = filters(request, PersonFilters)
    rows = people(text=asked.get("name", ""), has_left=asked.get("left"))
    if "subject" in asked:
        rows = rows.filter(subject=asked["subject"])
    return answer_page(request, rows, PersonDetail)


@shows("people")
@operation(
    "get_person", "Show a person and what they have here", answers=HoldingsSerializer,
    refuses=(*READ, 403), tag=TAG, about="For operators and auditors.",
)  # fmt: skip
@api_view(["GET"])
def person_detail(request: Request, public_id: UUID) -> Response:
    viewer = people_reader(request)
    return _answer(viewer, _person(public_id))


@shows("people")
@operation(
    "get_leaving", "Tell what it would mean if somebody left", answers=LeavingSerializer,
    refuses=(*READ, 403), tag=TAG,
    about="The roles, tokens and delegations that end, what stays because others rely on it, "
    "and what becomes of projects that nobody else owns. For operators and auditors.",
)  # fmt: skip
@api_view(["GET"])
def person_leaving(request: Request, public_id: UUID) -> Response:
    viewer = people_reader(request)
    return Response(LeavingSerializer(leaving_of(_person(public_id), viewer.now)).data)


@shows("operators")
@operation(
    "say_left", "Say that somebody has left", method="POST", body=LeaveInput,
    answers=HoldingsSerializer, refuses=WRITE, tag=TAG,
    about="Which ends all that they may do here; `…/leaving/` tells what. By another operator.",
)  # fmt: skip
@api_view(["POST"])
def person_leave(request: Request, public_id: UUID) -> Response:
    viewer, person = _operator(request, public_id)
    reason = body(request, LeaveInput)["reason"]
    leave_site(user=person, reason=reason, actor=viewer.user, now=viewer.now)
    return _answer(viewer, person)


@shows("operators")
@operation(
    "say_returned", "Say that somebody is back", method="POST", body=NothingInput,
    answers=HoldingsSerializer, refuses=WRITE, tag=TAG,
    about="They sign in again, and have the roles in `returning`. By another operator.",
)  # fmt: skip
@api_view(["POST"])
def person_return(request: Request, public_id: UUID) -> Response:
    viewer, person = _operator(request, public_id)
    body(request, NothingInput)
    return_to_site(user=person, actor=viewer.user, now=viewer.now)
    return _answer(viewer, person)


def people_reader(request: Request) -> Viewer:
    """Who may read about people and the directory; raises Forbidden."""
    viewer = viewer_in(request)
    check_reads_people(viewer)
    return viewer


def _operator(request: Request, public_id: UUID) -> tuple[Viewer, User]:
    viewer = viewer_in(request)
    check_says_who_left(viewer)
    person = _person(public_id)
    check_may_close(viewer.user, person, viewer.now)
    return viewer, person


def _person(public_id: UUID) -> User:
    return one(User.objects.select_related("supervisor"), public_id=public_id)


def _answer(viewer: Viewer, person: User) -> Response:
    held = held_by(person, viewer.now)
    shown = {
        "person": person, "roles": held.roles, "groups": held.groups,
        "delegations": held.delegations, "absences": held.absences,
        "returning": roles_given_back(open_absence(person), viewer.now),
    }  # fmt: skip
    return Response(HoldingsSerializer(shown).data)
