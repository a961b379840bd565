"""What the reader was told: the list of it, what is seen, and the way to what it is about."""

from collections.abc import Collection
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from projects.models import Notice
from projects.outgoing.notices import mark_all_read, mark_read
from projects.queries.viewers import Viewer
from projects.views.heading import next_of
from projects.views.viewer import viewer_of
from quotas.queries.notice_words import look_of, sentence_of, url_of
from quotas.queries.notices import NoticeRow, notice_rows, notices_of
from quotas.queries.project_notices import Look

from .pages import ids_in, page_of

MOST_AT_ONCE = 200


@dataclass(frozen=True)
class NoticeItem:
    """A notice as the pages show it; without an address there is nothing to open."""

    row: NoticeRow
    sentence: str
    look: Look
    url: str

    @property
    def notice(self) -> Notice:
        return self.row.notice


def notice_items(notices: Collection[Notice], viewer: Viewer) -> list[NoticeItem]:
    """As `notice_rows`, in words."""
    return [
        NoticeItem(row, sentence_of(row), look_of(row), url_of(row))
        for row in notice_rows(notices, viewer)
    ]


@shows("own")
@require_safe
def notice_list(request: HttpRequest) -> HttpResponse:
    """`?unread=yes` leaves out what was seen."""
    viewer = viewer_of(request)
    is_unread = request.GET.get("unread") == "yes"
    page = page_of(request, notices_of(viewer, is_unread=is_unread))
    context = {
        "page": page,
        "items": notice_items(page.rows, viewer),
        "is_unread": is_unread,
        "newest": page.rows[0].pk if page.rows else 0,
        "has_unread": notices_of(viewer, is_unread=True).exists(),
        "here": "home",
    }
    return render(request, "notices/list.html", context)


@shows("own")
@require_POST
def notice_read(request: HttpRequest) -> HttpResponseBase:
    """Some are seen, or all up to `newest`; with `open`, on to what the one is about.

    `next`: the page on which a banner was dismissed.
    """
    viewer = viewer_of(request)
    back = next_of(request) or ("notice_list" if request.POST.get("from") == "list" else "home")
    opened = ids_in(request.POST, "open", 1)
    newest = ids_in(request.POST, "newest", 1)
    if newest:
        mark_all_read(newest=newest[0], actor=viewer.user, now=viewer.now)
        return redirect(back)
    ids = opened or ids_in(request.POST, "notice", MOST_AT_ONCE)
    mark_read(ids=ids, actor=viewer.user, now=viewer.now)
    for each in notice_items(list(notices_of(viewer).filter(pk__in=opened)), viewer):
        if each.url:
            return redirect(each.url)
    return redirect(back)
