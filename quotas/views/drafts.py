"""Writing a request: the form, its live preview, and what is kept without being sent."""

from collections.abc import Mapping
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.lib.access import keeps, shows
from portal.lib.amounts import input_text
from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible
from projects.models import User
from projects.queries.viewers import Viewer, roles_in
from projects.rules import asks_for_others, may_ask
from projects.views.viewer import viewer_of
from quotas.actions import drafts, requests
from quotas.actions.wishes import Wish, check_wish
from quotas.forms import AmountRow, WishForm, read_amounts, typed_amounts
from quotas.models import QuotaRequest
from quotas.queries.accounts import balances
from quotas.queries.ask import (
    askable_projects,
    earlier_requests,
    presets,
    regions,
    typed_rows,
)
from quotas.queries.preview import preview

from .links import read_link
from .pages import visible_request
from .sheets import (
    InTheNameOf,
    Sheet,
    askable,
    posted_sheet,
    region_of,
    sheet_again,
    sheet_of_draft,
    unjudged,
    with_posted_form,
)
from .zone_rows import by_zone


@shows("own")
@keeps("project", "region", "amount-*", "requester")
@require_http_methods(["GET", "HEAD", "POST"])
def request_new(request: HttpRequest) -> HttpResponse:
    """`?project=`, `?again=<number>` and what views.links reads of the address fill the form.

    `?for=<a person's id>` is in whose name it is written.
    """
    if request.method == "POST":
        return _posted(request)
    viewer = viewer_of(request)
    again, for_whom = request.GET.get("again", ""), request.GET.get("for", "")
    copied = None
    if again.isascii() and again.isdigit() and len(again) < 19:
        copied = visible_request(viewer, int(again))
    slug = request.GET.get("project", "")
    if copied is not None and not slug and may_ask(roles_in(viewer, copied.project)):
        slug = copied.project.slug
    if not slug:
        return _choose(request, viewer, copied)
    project = askable(viewer, slug)
    places = regions()
    link = read_link(request.GET, places)
    if copied is not None:
        sheet = sheet_again(viewer, copied, project, for_whom)
        sheet.typed |= link.typed
        sheet.read()
    else:
        region, form = region_of(link.region, project), WishForm(initial=link.initial)
        sheet = Sheet(viewer, project, places, region, link.typed, form)
        sheet.name = InTheNameOf.of(viewer, project, for_whom)
    sheet.other_errors += [("", sentence) for sentence in link.sentences]
    return _show(request, sheet)


@shows("draft")
@require_http_methods(["GET", "HEAD", "POST"])
def request_edit(request: HttpRequest, number: int) -> HttpResponse:
    """The same form for a draft."""
    viewer = viewer_of(request)
    draft = _draft(viewer, number)
    if request.method == "POST":
        return _answer(request, posted_sheet(request, viewer, draft))
    return _show(request, sheet_of_draft(viewer, draft))


@shows("ask")
@require_POST
def request_preview(request: HttpRequest) -> HttpResponse:
    """What the form would do: the part for htmx, the whole page for everybody else."""
    sheet = posted_sheet(request, viewer_of(request), None)
    return _preview(request, sheet)


@shows("draft")
@require_POST
def request_submit(request: HttpRequest, number: int) -> HttpResponse:
    """Send a draft as it is; where something is missing, the form says what."""
    viewer = viewer_of(request)
    draft = _draft(viewer, number)
    sheet = sheet_of_draft(viewer, draft)
    try:
        drafts.submit(draft=draft, actor=viewer.user, now=viewer.now)
    except (Invalid, Conflict) as error:
        return _refuse(request, with_posted_form(sheet), error)
    return _sent(request, draft)


@shows("draft")
@require_http_methods(["GET", "HEAD", "POST"])
def request_discard(request: HttpRequest, number: int) -> HttpResponse:
    """Ask first, then throw a draft away."""
    viewer = viewer_of(request)
    draft = _draft(viewer, number)
    if request.method != "POST":
        context = {"asked": draft, "here": "requests"}
        return render(request, "requests/discard.html", context)
    drafts.discard(draft=draft, actor=viewer.user, now=viewer.now)
    messages.success(request, _("The draft is gone."))
    return redirect("request_list")


def _posted(request: HttpRequest) -> HttpResponse:
    refusal: Invalid | Conflict | None = None
    now = timezone.now()
    try:
        if asked := _sent_at_once(request, now):
            return _sent(request, asked)
    except (Invalid, Conflict) as error:
        refusal = error
    # There is something to say, and the form says it, of the same moment.
    sheet = posted_sheet(request, viewer_of(request, now), None)
    return _answer(request, sheet) if refusal is None else _refuse(request, sheet, refusal)


def _sent_at_once(request: HttpRequest, now: datetime) -> QuotaRequest | None:
    """Send what was typed in one's own name by what the verb itself asks, and nothing that the form
    would show beside it. None: it is nothing to be sent as it is. Raises what the verb does."""
    data = request.POST
    if data.get("do") != "send" or "preset" in data or data.get("requester"):
        return None
    user: User = request.user  # type: ignore[assignment]  # signed in
    form, typed = WishForm(data), typed_amounts(data)
    slugs = [slug for slug, text in typed.items() if text.strip()]
    project, rows = typed_rows(user, data.get("project", ""), slugs, now)
    amounts = read_amounts(typed, [AmountRow(each.slug, each, quota) for each, quota in rows])
    if project is None or amounts.errors or not form.is_valid():
        return None
    wish = form.wish(amounts.wanted)
    return requests.submit(project=project, wish=wish, actor=user, now=now)


def _choose(request: HttpRequest, viewer: Viewer, copied: QuotaRequest | None) -> HttpResponse:
    projects = askable_projects(viewer)
    rest = request.GET.copy()
    rest.pop("project", None)
    # All that a link says stays while its project is chosen.
    more = f"&{rest.urlencode()}" if rest else ""
    if len(projects) == 1:
        return redirect(f"{reverse('request_new')}?project={projects[0].slug}{more}")
    context = {
        "projects": projects,
        "copied": copied,
        "more": more,
        "asks_for_others": asks_for_others(viewer),
        "here": "requests",
    }
    return render(request, "requests/choose.html", context)


def _draft(viewer: Viewer, number: int) -> QuotaRequest:
    """The viewer's own draft; what was sent is no draft any more."""
    found = visible_request(viewer, number)
    if found.requester_id != viewer.user.pk:
        raise NotVisible(_("There is no such draft."))
    if found.submitted_at is not None:
        raise Conflict(_("It was sent already; look at the request."), request=found.pk)
    return found


def _answer(request: HttpRequest, sheet: Sheet) -> HttpResponse:
    """What the pressed button says; Enter in a field is the first one, the preview."""
    if "preset" in request.POST:
        return _fill(request, sheet, request.POST["preset"])
    if request.POST.get("do") == "region":
        return _show(request, unjudged(request, sheet))
    if request.POST.get("do") not in ("send", "draft"):
        return _preview(request, sheet)
    return _keep(request, sheet, is_sent=request.POST["do"] == "send")


def _fill(request: HttpRequest, sheet: Sheet, slug: str) -> HttpResponse:
    preset = next((each for each in presets(sheet.region) if each.slug == slug), None)
    for line in preset.lines.all() if preset else ():
        text = "+" + input_text(line.increase, line.offering.resource.unit)
        sheet.typed[line.offering.slug] = text
    sheet.read()
    return _preview(request, unjudged(request, sheet))


def _preview(request: HttpRequest, sheet: Sheet) -> HttpResponse:
    context = _context(sheet) | {"has_preview": True}
    if request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return render(request, "requests/_preview_part.html", context)
    sheet.other_errors.clear()
    return render(request, "requests/new.html", context)


def _keep(request: HttpRequest, sheet: Sheet, *, is_sent: bool) -> HttpResponse:
    """Send it, or keep it as a draft; every error at once, and everything typed stays."""
    if not is_sent and not sheet.name.is_own_possible:
        raise Forbidden(_("Only an owner or a manager of the project can ask for quota."))
    if not sheet.form.is_valid() or sheet.amounts.errors or _is_nobodys(sheet, is_sent=is_sent):
        return _refuse(request, sheet, _all_errors(sheet, is_sent=is_sent))
    viewer, wish = sheet.viewer, sheet.form.wish(sheet.amounts.wanted)
    project, actor, now = sheet.project, viewer.user, viewer.now
    try:
        if is_sent and sheet.draft is None:
            asked = requests.submit(
                project=project, wish=wish, actor=actor, now=now, requester=sheet.name.chosen
            )
            return _sent(request, asked)
        sheet.draft = drafts.save(
            project=project, wish=wish, actor=actor, now=now, draft=sheet.draft
        )
        if is_sent:
            asked = drafts.submit(draft=sheet.draft, actor=actor, now=now)
            return _sent(request, asked)
    except (Invalid, Conflict) as error:
        return _refuse(request, sheet, error)
    messages.success(request, _("The draft is kept. It reserves nothing and only you see it."))
    return redirect("request_detail", number=sheet.draft.pk)


def _is_nobodys(sheet: Sheet, *, is_sent: bool) -> bool:
    """Whether it is in the name of nobody who may ask, or a draft in somebody else's."""
    return bool(sheet.name.wrong) or (sheet.name.chosen is not None and not is_sent)


def _all_errors(sheet: Sheet, *, is_sent: bool) -> Invalid:
    """What the domain would say of the rest, so that nobody corrects one error at a time."""
    cleaned: Mapping[str, object] = sheet.form.cleaned_data
    named: dict[str, list[str]] = {}
    if sheet.name.wrong:
        named["requester"] = [sheet.name.wrong]
    elif _is_nobodys(sheet, is_sent=is_sent):
        named["requester"] = [_("A draft is its writer's alone: send it, or keep it as your own.")]
    reason = str(cleaned.get("reason", "")) or ("" if is_sent else "-")
    wish = Wish(sheet.amounts.wanted or {}, reason)
    try:
        check_wish(wish, balances=balances(sheet.project), now=sheet.viewer.now)
    except Invalid as error:
        # A row that cannot be read is a change all the same.
        rest = {name: each for name, each in error.errors.items() if name != "lines"}
        return Invalid(rest | named)
    return Invalid(named)


def _refuse(request: HttpRequest, sheet: Sheet, error: Invalid | Conflict) -> HttpResponse:
    if isinstance(error, Invalid):
        sheet.collect(error)
    else:
        sheet.refused = error
    return _show(request, sheet, status=error.status)


def _sent(request: HttpRequest, asked: QuotaRequest) -> HttpResponseRedirect:
    words = _("#%(number)s is sent. This page shows what becomes of it.") % {"number": asked.pk}
    messages.success(request, words)
    return redirect("request_detail", number=asked.pk)


def _show(request: HttpRequest, sheet: Sheet, status: int = 200) -> HttpResponse:
    return render(request, "requests/new.html", _context(sheet), status=status)


def _context(sheet: Sheet) -> dict[str, object]:
    previewed = preview(
        sheet.viewer, sheet.project, sheet.wanted, requester=sheet.name.chosen,
        all_or_nothing=bool(sheet.form["all_or_nothing"].value()),
    )  # fmt: skip
    rows = sheet.rows(previewed)
    return {
        "sheet": sheet,
        "rows": rows,
        "zones": by_zone(rows),
        "preview": previewed,
        "project": sheet.project,
        "form": sheet.form,
        "draft": sheet.draft,
        "error": sheet.refused,
        "presets": presets(sheet.region),
        "earlier": earlier_requests(sheet.project) if sheet.draft is None else [],
        "here": "requests",
    }
