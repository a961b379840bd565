"""Announcements: everybody reads what was announced, operators write, preview and send."""

from typing import Any

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.queries.viewers import Viewer
from projects.states import TokenScope
from quotas.actions import announcements
from quotas.actions.announcements import Words, check_audience, check_operator
from quotas.models import Announcement, Zone
from quotas.queries.announcements import called, reach_of, visible_announcements
from quotas.states import AnnouncementState

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .fields import Filters
from .pages import answer_page, page_of
from .scopes import needs
from .shapes.announcements import (
    AnnouncementChangeInput,
    AnnouncementDetail,
    AnnouncementInput,
    AnnouncementSerializer,
    AudienceInput,
    ReachSerializer,
    ScheduleInput,
)
from .shapes.lives import SeenInput
from .versions import tagged, version_matched, version_seen

TAG = "announcements"


class AnnouncementFilters(Filters):
    state = serializers.ChoiceField(choices=AnnouncementState.values, required=False)


@needs(TokenScope.REPAIR)
@shows("catalogue")
@operation(
    "list_announcements", "List announcements",
    answers=page_of(AnnouncementSerializer, "-id", "id"), refuses=LIST, tag=TAG,
    filters=[AnnouncementFilters],
    about="What was announced; for operators and auditors also what is not sent, or withdrawn.",
)  # fmt: skip
@operation(
    "make_announcement", "Write an announcement", method="POST", body=AnnouncementInput,
    answers=AnnouncementDetail, status=201, refuses=WRITE, tag=TAG,
    about="By operators. A draft: nobody is told before it is scheduled.",
)  # fmt: skip
@api_view(["GET", "POST"])
def announcement_list(request: Request) -> HttpResponseBase:
    viewer = viewer_in(request)
    if request.method == "POST":
        check_operator(viewer)
        words = _words(body(request, AnnouncementInput))
        made = announcements.make(words=words, actor=viewer.user, now=viewer.now)
        return _told(viewer, made, status=201)
    asked = filters(request, AnnouncementFilters)
    return answer_page(
        request, visible_announcements(viewer).filter(**asked), AnnouncementSerializer
    )


@needs(TokenScope.REPAIR)
@shows("catalogue")
@operation(
    "get_announcement", "Show an announcement", answers=AnnouncementDetail, refuses=READ,
    tag=TAG, etag=Etag.GIVES,
)  # fmt: skip
@operation(
    "change_announcement", "Let an announcement say something else, or reach others",
    method="PUT", body=AnnouncementChangeInput, answers=AnnouncementDetail, refuses=WRITE,
    tag=TAG, etag=Etag.NEEDS, about="By operators, before anybody is told.",
)  # fmt: skip
@api_view(["GET", "PUT"])
def announcement_detail(request: Request, pk: int) -> Response:
    if request.method != "PUT":
        viewer = viewer_in(request)
        return _told(viewer, one(visible_announcements(viewer), pk=pk))
    viewer, found = _own(request, pk)
    sent = body(request, AnnouncementChangeInput)
    version = version_seen(request, sent.pop("version", None), found.version)
    changed = announcements.change(
        announcement=found, words=_words(sent), version=version, actor=viewer.user, now=viewer.now
    )
    return _told(viewer, changed)


@shows("operators")
@operation(
    "preview_announcement", "See whom an announcement would reach", method="POST",
    body=AudienceInput, answers=ReachSerializer, refuses=WRITE, tag=TAG,
    about="By operators; of this moment. Whom it reaches is looked up again as it is sent.",
)  # fmt: skip
@api_view(["POST"])
def announcement_preview(request: Request) -> Response:
    viewer = viewer_in(request)
    check_operator(viewer)
    audience = check_audience(Words(subject="", text="", **body(request, AudienceInput)))
    zones = Zone.objects.filter(pk__in=audience.zone_ids).select_related("region")
    context = {"zones": {each.pk: called(each) for each in zones}}
    reach = reach_of(audience, viewer.now, viewer.user)
    return Response(ReachSerializer(reach, context=context).data)


@shows("operators")
@operation(
    "schedule_announcement", "Send an announcement, at once or at a moment", method="POST",
    body=ScheduleInput, answers=AnnouncementDetail, refuses=WRITE, tag=TAG, etag=Etag.NEEDS,
    about="People are told by a job, whose number is `job` once it is being sent.",
)  # fmt: skip
@api_view(["POST"])
def announcement_schedule(request: Request, pk: int) -> Response:
    viewer, found = _own(request, pk)
    sent = body(request, ScheduleInput)
    scheduled = announcements.schedule(
        announcement=found, starts_at=sent["starts_at"],
        version=version_seen(request, sent.get("version"), found.version),
        actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return _told(viewer, scheduled)


@shows("operators")
@operation(
    "withdraw_announcement", "Show an announcement to nobody any more", method="POST",
    body=SeenInput, answers=AnnouncementDetail, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="Nobody else is told, and its banner is gone; mail that is out stays out.",
)  # fmt: skip
@api_view(["POST"])
def announcement_withdraw(request: Request, pk: int) -> Response:
    viewer, found = _own(request, pk)
    seen = body(request, SeenInput).get("version")
    if seen is None:
        seen = version_matched(request, found.version)
    withdrawn = announcements.withdraw(
        announcement=found, version=seen, actor=viewer.user,
        now=viewer.now,
    )  # fmt: skip
    return _told(viewer, withdrawn)


def _own(request: Request, pk: int) -> tuple[Viewer, Announcement]:
    """The caller, once they operate, and the announcement."""
    viewer = viewer_in(request)
    check_operator(viewer)
    return viewer, one(visible_announcements(viewer), pk=pk)


def _words(sent: dict[str, Any]) -> Words:
    return Words(**sent)


def _told(viewer: Viewer, announcement: Announcement, *, status: int = 200) -> Response:
    fresh = one(visible_announcements(viewer), pk=announcement.pk)
    return tagged(AnnouncementDetail(fresh).data, fresh.version, status=status)
