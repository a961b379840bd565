"""Writing a request: the form, its live preview, and what is kept without being sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.lib.access import shows
from portal.lib.amounts import input_text
from portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, NotVisible
from projects.models import Project
from projects.queries.viewers import Viewer, roles_in
from projects.rules import may_ask
from projects.views.viewer import viewer_of
from quotas.actions import requests
from quotas.actions.wishes import Wish, check_wish
from quotas.forms import (
    AmountRow,
    Amounts,
    LineInput,
    WishForm,
    read_amounts,
    take_errors,
    typed_amounts,
)
from quotas.models import Offering, QuotaRequest, Region
from quotas.queries.accounts import balances
from quotas.queries.ask import (
    AskRow,
    ask_rows,
    askable_projects,
    first_region,
    presets,
    regions,
)
from quotas.queries.preview import preview
from quotas.states import LineState

from .pages import visible_project, visible_request


@dataclass
class Sheet:
    """A request in the making: everything that its page shows."""

    viewer: Viewer
    project: Project
    regions: list[Region]
    region: Region | None
    typed: dict[str, str]
    form: WishForm
    draft: QuotaRequest | None = None
    refused: DomainError | None = None
    amounts: Amounts = field(init=False)
    asks: list[AskRow] = field(init=False)
    other_errors: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> None:
        """Read what was typed against the quota of now."""
        slugs = {key for key, text in self.typed.items() if text.strip()}
        self.asks = ask_rows(self.viewer, self.project, self.region, slugs)
        rows = [AmountRow(each.key, each.offering, each.quota) for each in self.asks]
        self.amounts = read_amounts(self.typed, rows)

    @property
    def rows(self) -> list[tuple[AskRow, LineInput, int]]:
        """Each row, its input, and the change that is typed (0: none, or not readable)."""
        wanted = self.amounts.wanted
        return [
            (each, self.amounts.input(each.key), wanted.get(each.key, each.quota) - each.quota)
            for each in self.asks
        ]

    @property
    def wanted(self) -> dict[Offering, int]:
        wanted = self.amounts.wanted
        return {each.offering: wanted[each.key] for each in self.asks if each.key in wanted}

    @property
    def errors(self) -> list[tuple[str, str]]:
        return [*self.amount_errors, *self.other_errors]

    @property
    def amount_errors(self) -> list[tuple[str, str]]:
        return self.amounts.summary({each.key for each in self.asks})

    def collect(self, error: Invalid) -> None:
        """Put the domain's errors where they belong."""
        rest = self.amounts.take_errors(take_errors(self.form, error.errors))
        self.other_errors += [("", sentence) for sentence in rest.values()]


@shows("own")
@require_http_methods(["GET", "HEAD", "POST"])
def request_new(request: HttpRequest) -> HttpResponse:
    """`?project=`, `?region=`, `?again=<number>` and `?amount-<offering>=` fill the form."""
    viewer = viewer_of(request)
    if request.method == "POST":
        return _answer(request, _posted(request, viewer, None))
    again = request.GET.get("again", "")
    if again.isascii() and again.isdigit() and len(again) < 19:
        return _show(request, _again(request, viewer, visible_request(viewer, int(again))))
    if "project" not in request.GET:
        return _choose(request, viewer)
    project = _askable(viewer, request.GET["project"])
    region = _region(request.GET.get("region", ""), project)
    sheet = Sheet(viewer, project, regions(), region, typed_amounts(request.GET), WishForm())
    return _show(request, sheet)


@shows("draft")
@require_http_methods(["GET", "HEAD", "POST"])
def request_edit(request: HttpRequest, number: int) -> HttpResponse:
    """The same form for a draft."""
    viewer = viewer_of(request)
    draft = _draft(viewer, number)
    if request.method == "POST":
        return _answer(request, _posted(request, viewer, draft))
    return _show(request, _sheet_of_draft(viewer, draft))


@shows("ask")
@require_POST
def request_preview(request: HttpRequest) -> HttpResponse:
    """What the form would do: the part for htmx, the whole page for everybody else."""
    sheet = _posted(request, viewer_of(request), None)
    return _preview(request, sheet)


@shows("draft")
@require_POST
def request_submit(request: HttpRequest, number: int) -> HttpResponse:
    """Send a draft as it is; where something is missing, the form says what."""
    viewer = viewer_of(request)
    draft = _draft(viewer, number)
    sheet = _sheet_of_draft(viewer, draft)
    try:
        requests.submit_draft(draft=draft, actor=viewer.user, now=viewer.now)
    except (Invalid, Conflict) as error:
        return _refuse(request, _with_posted_form(sheet), error)
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
    requests.discard_draft(draft=draft, actor=viewer.user, now=viewer.now)
    messages.success(request, _("The draft is gone."))
    return redirect("request_list")


def _choose(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    projects = askable_projects(viewer)
    if len(projects) == 1:
        return redirect(f"{reverse('request_new')}?project={projects[0].slug}")
    return render(request, "requests/choose.html", {"projects": projects, "here": "requests"})


def _askable(viewer: Viewer, slug: str) -> Project:
    project = visible_project(viewer, slug)
    if not may_ask(roles_in(viewer, project)):
        raise Forbidden(_("Only an owner or a manager of the project can ask for quota."))
    return project


def _region(slug: str, project: Project) -> Region | None:
    """The region of that slug, or the one to start with."""
    known = regions()
    found = next((each for each in known if each.slug == slug), None)
    return found or first_region(project, known)


def _draft(viewer: Viewer, number: int) -> QuotaRequest:
    """The viewer's own draft; what was sent is no draft any more."""
    found = visible_request(viewer, number)
    if found.requester_id != viewer.user.pk:
        raise NotVisible(_("There is no such draft."))
    if found.submitted_at is not None:
        raise Conflict(_("It was sent already; look at the request."), request=found.pk)
    return found


def _posted(request: HttpRequest, viewer: Viewer, draft: QuotaRequest | None) -> Sheet:
    """The form as it was typed."""
    slug = draft.project.slug if draft else request.POST.get("project", "")
    project = _askable(viewer, slug)
    region = _region(request.POST.get("region", ""), project)
    typed = typed_amounts(request.POST)
    return Sheet(viewer, project, regions(), region, typed, WishForm(request.POST), draft)


def _sheet_of_draft(viewer: Viewer, draft: QuotaRequest) -> Sheet:
    lines = list(draft.lines.select_related("offering__resource", "offering__zone__region"))
    typed = {
        line.offering.slug: input_text(line.wanted, line.offering.resource.unit) for line in lines
    }
    project = _askable(viewer, draft.project.slug)
    region = lines[0].offering.zone.region if lines else _region("", project)
    form = WishForm(initial=_initial(draft))
    return Sheet(viewer, project, regions(), region, typed, form, draft)


def _initial(asked: QuotaRequest) -> dict[str, object]:
    return WishForm.initial_of(asked.reason, asked.until_on, asked.all_or_nothing)


def _with_posted_form(sheet: Sheet) -> Sheet:
    """The same sheet with a form that can carry errors."""
    data = {name: value for name, value in sheet.form.initial.items() if value not in (None, False)}
    sheet.form = WishForm(data)
    return sheet


def _again(request: HttpRequest, viewer: Viewer, asked: QuotaRequest) -> Sheet:
    """The same wish once more: what was granted already as the same increase again."""
    project = _askable(viewer, asked.project.slug)
    held = balances(project)
    typed, region = {}, None
    for line in asked.lines.select_related("offering__resource", "offering__zone__region"):
        unit = line.offering.resource.unit
        change = line.wanted - line.balance_seen
        region = region or line.offering.zone.region
        if line.wanted != held.get(line.offering_id, 0):
            typed[line.offering.slug] = input_text(line.wanted, unit)
        elif change > 0:
            typed[line.offering.slug] = "+" + input_text(change, unit)
    until_on = asked.until_on if asked.until_on and asked.until_on >= viewer.now.date() else None
    form = WishForm(initial=WishForm.initial_of(asked.reason, until_on, asked.all_or_nothing))
    return Sheet(viewer, project, regions(), region or _region("", project), typed, form)


def _answer(request: HttpRequest, sheet: Sheet) -> HttpResponse:
    """What the pressed button says; Enter in a field is the first one, the preview."""
    if "preset" in request.POST:
        return _fill(request, sheet, request.POST["preset"])
    if request.POST.get("do") == "region":
        return _show(request, _unjudged(request, sheet))
    if request.POST.get("do") not in ("send", "draft"):
        return _preview(request, sheet)
    return _keep(request, sheet, is_sent=request.POST["do"] == "send")


def _unjudged(request: HttpRequest, sheet: Sheet) -> Sheet:
    """The same texts in a form that is not finished yet, so that nothing is called wrong."""
    names = ("reason", "until", "until_on")
    initial: dict[str, object] = {name: request.POST.get(name, "") for name in names}
    initial["all_or_nothing"] = "all_or_nothing" in request.POST
    sheet.form = WishForm(initial=initial)
    sheet.amounts.errors.clear()
    return sheet


def _fill(request: HttpRequest, sheet: Sheet, slug: str) -> HttpResponse:
    preset = next((each for each in presets(sheet.region) if each.slug == slug), None)
    for line in preset.lines.all() if preset else ():
        text = "+" + input_text(line.increase, line.offering.resource.unit)
        sheet.typed[line.offering.slug] = text
    sheet.read()
    return _preview(request, _unjudged(request, sheet))


def _preview(request: HttpRequest, sheet: Sheet) -> HttpResponse:
    context = _context(sheet) | {
        "preview": preview(sheet.viewer, sheet.project, sheet.wanted),
        "has_preview": True,
    }
    if request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return render(request, "requests/_preview_part.html", context)
    sheet.other_errors.clear()
    return render(request, "requests/new.html", context)


def _keep(request: HttpRequest, sheet: Sheet, *, is_sent: bool) -> HttpResponse:
    """Send it, or keep it as a draft; every error at once, and everything typed stays."""
    if not sheet.form.is_valid() or sheet.amounts.errors:
        return _refuse(request, sheet, _all_errors(sheet, is_sent=is_sent))
    viewer, wish = sheet.viewer, sheet.form.wish(sheet.amounts.wanted)
    common = {"project": sheet.project, "wish": wish, "actor": viewer.user, "now": viewer.now}
    try:
        if is_sent and sheet.draft is None:
            return _sent(request, requests.submit(**common))
        sheet.draft = requests.save_draft(**common, draft=sheet.draft)
        if is_sent:
            return _sent(
                request, requests.submit_draft(draft=sheet.draft, actor=viewer.user, now=viewer.now)
            )
    except (Invalid, Conflict) as error:
        return _refuse(request, sheet, error)
    messages.success(request, _("The draft is kept. It reserves nothing and only you see it."))
    return redirect("request_detail", number=sheet.draft.pk)


def _all_errors(sheet: Sheet, *, is_sent: bool) -> Invalid:
    """What the domain would say of the rest, so that nobody corrects one error at a time."""
    cleaned: Mapping[str, object] = sheet.form.cleaned_data
    reason = str(cleaned.get("reason", "")) or ("" if is_sent else "-")
    wish = Wish(sheet.amounts.wanted or {}, reason)
    try:
        check_wish(wish, balances=balances(sheet.project), now=sheet.viewer.now)
    except Invalid as error:
        # A row that cannot be read is a change all the same.
        return Invalid({name: each for name, each in error.errors.items() if name != "lines"})
    return Invalid({})


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
    context = _context(sheet)
    context["preview"] = preview(sheet.viewer, sheet.project, sheet.wanted)
    return render(request, "requests/new.html", context, status=status)


def _context(sheet: Sheet) -> dict[str, object]:
    return {
        "sheet": sheet,
        "project": sheet.project,
        "form": sheet.form,
        "draft": sheet.draft,
        "error": sheet.refused,
        "presets": presets(sheet.region),
        "line_state": LineState,
        "here": "requests",
    }
