"""Asking for a project: one form with its live parts, and the change of a name before it opens."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.lib.access import keeps, shows
from portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, Stale
from projects.actions.project_names import MAX_NAME
from projects.queries.viewers import Viewer, roles_in
from projects.rules import may_ask
from projects.states import ProjectState, Role
from projects.views.viewer import viewer_of
from quotas.actions.opening import rename
from quotas.actions.proposing import check_name, check_proposal, propose
from quotas.actions.wishes import check_wish
from quotas.forms import typed_amounts, version_in
from quotas.queries.ask import regions
from quotas.queries.new_projects import all_presets
from quotas.queries.preview import Preview, preview
from quotas.queries.proposals import clashes, workers_of

from .pages import visible_project
from .proposal_form import (
    MAX_SEARCH,
    ProposalForm,
    ProposalSheet,
    read_members,
    search_members,
    unit_of,
)
from .zone_rows import by_zone

TEXTS = ("name", "purpose", "description", "until", "ends_on", "reason")


@shows("own")
@keeps("name", "unit", "purpose", "description", "until", "ends_on", "region", "amount-*")
@require_http_methods(["GET", "HEAD", "POST"])
def project_new(request: HttpRequest) -> HttpResponse:
    """`?name=&purpose=&description=&unit=&preset=&region=&ends_on=` and amounts fill the form."""
    viewer = viewer_of(request)
    if request.method != "POST":
        return _show(request, _linked(request.GET, viewer))
    sheet = _posted(request.POST, viewer)
    if "preset" in request.POST:
        _fill(sheet, request.POST.getlist("preset"))
    if request.POST.get("do") == "send":
        return _send(request, sheet)
    return _show(request, sheet)


@shows("own")
@require_POST
def project_preview(request: HttpRequest) -> HttpResponse:
    """What the form would do: the part for htmx, the whole page for everybody else."""
    sheet = _posted(request.POST, viewer_of(request))
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return _show(request, sheet)
    return render(request, "projects/_new_preview_part.html", _context(sheet))


@shows("own")
@require_safe
def project_name(request: HttpRequest) -> HttpResponse:
    """Whether a project may be called `?name=`, while it is typed."""
    name = request.GET.get("name", "")[: MAX_NAME + 1].strip()
    context = {"name": name, "wrong": _wrong_name(name, viewer_of(request))}
    return render(request, "projects/_new_name.html", context)


@shows("ask")
@require_http_methods(["GET", "HEAD", "POST"])
def project_rename(request: HttpRequest, slug: str) -> HttpResponse:
    """Another name, while it is proposed or a cloud refuses this one."""
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    if not may_ask(roles_in(viewer, project)):
        raise Forbidden(_("Only an owner or a manager of the project can do that."))
    refused: DomainError | None = None
    name, wrong = project.name, ""
    if request.method == "POST":
        name = request.POST.get("name", "")
        try:
            rename(
                project=project, name=name, version=version_in(request.POST),
                actor=viewer.user, now=viewer.now,
            )  # fmt: skip
        except Invalid as error:
            wrong, refused = " ".join(error.errors["name"]), error
        except (Conflict, Stale) as error:
            refused = error
        else:
            messages.success(request, _("It is called %(name)s now.") % {"name": project.name})
            return redirect("project_detail", slug=project.slug)
        project.refresh_from_db()
    context = {
        "project": project, "name": name, "wrong": wrong, "here": "projects",
        "error": refused if not wrong else None, "most": MAX_NAME,
        "is_possible": project.state == ProjectState.PROPOSED or bool(clashes(project)),
        "errors": [("name", wrong)] if wrong else [],
    }  # fmt: skip
    return render(
        request, "projects/rename.html", context, status=refused.status if refused else 200
    )


def _wrong_name(name: str, viewer: Viewer) -> str:
    """Why a project cannot be called that; empty: it can, or nothing is typed yet."""
    if not name.strip():
        return ""
    try:
        check_name(name, viewer.now)
    except Invalid as error:
        return " ".join(error.errors["name"])
    return ""


def _linked(query: QueryDict, viewer: Viewer) -> ProposalSheet:
    initial = {name: query[name] for name in TEXTS if query.get(name)}
    if "ends_on" in initial:
        initial["until"] = "date"
    known = regions()
    region = next((each for each in known if each.slug == query.get("region")), None)
    sheet = ProposalSheet(
        viewer, ProposalForm(initial=initial), known, region or next(iter(known), None),
        typed_amounts(query), unit=unit_of(query.get("unit", "")),
    )  # fmt: skip
    if query.get("unit") and (sheet.unit is None or sheet.unit.slug != query["unit"]):
        words = {"name": query["unit"][:60]}
        sheet.other_errors.append(("unit", _("There is no unit “%(name)s”.") % words))
    for each in _fill(sheet, query.getlist("preset")):
        sentence = _("There is no preset “%(name)s”.") % {"name": each[:60]}
        sheet.other_errors.append(("", sentence))
    return sheet


def _posted(data: QueryDict, viewer: Viewer) -> ProposalSheet:
    """The form as it was typed; judged only once it is sent."""
    is_sent = data.get("do") == "send"
    initial: dict[str, object] = {name: data.get(name, "") for name in TEXTS}
    initial["all_or_nothing"] = "all_or_nothing" in data
    known = regions()
    region = next((each for each in known if each.slug == data.get("region")), None)
    sheet = ProposalSheet(
        viewer, ProposalForm(data) if is_sent else ProposalForm(initial=initial), known,
        region or next(iter(known), None), typed_amounts(data), unit=unit_of(data.get("unit", "")),
        unit_search=data.get("unit_search", "").strip()[:MAX_SEARCH],
        members=read_members(data, viewer),
    )  # fmt: skip
    if "add" not in data:
        search_members(sheet, data.get("search", ""))
    return sheet


def _fill(sheet: ProposalSheet, slugs: list[str]) -> list[str]:
    """Write presets into their rows; those that there are not."""
    known = {each.slug: each for each in all_presets()} if slugs else {}
    for each in slugs:
        if each in known:
            sheet.fill(known[each])
    return [each for each in slugs if each not in known]


def _send(request: HttpRequest, sheet: ProposalSheet) -> HttpResponse:
    """Ask for it; every error at once, and everything typed stays."""
    viewer = sheet.viewer
    try:
        if not sheet.form.is_valid() or sheet.amounts.errors or sheet.unit is None:
            raise _all_errors(sheet)
        asked = propose(
            proposal=sheet.proposal(), wish=sheet.wish(), actor=viewer.user, now=viewer.now
        )
    except Invalid as error:
        sheet.collect(error)
        return _show(request, sheet, error)
    except (Conflict, Forbidden) as error:
        sheet.refused = error
        return _show(request, sheet, error)
    words = {"name": asked.project.name}
    messages.success(
        request, _("%(name)s is asked for. This page shows what becomes of it.") % words
    )
    return redirect("request_detail", number=asked.pk)


def _all_errors(sheet: ProposalSheet) -> Invalid:
    """What the domain would say of the rest, so that nobody corrects one error at a time."""
    errors: dict[str, list[str]] = {}
    try:
        check_proposal(sheet.proposal(), sheet.viewer.now)
    except Invalid as error:
        errors.update(error.errors)
    wish = sheet.wish()
    try:
        check_wish(wish, balances={}, now=sheet.viewer.now)
    except Invalid as error:
        errors.update({name: each for name, each in error.errors.items() if name != "reason"})
    # What the form said of a field itself is enough.
    return Invalid({name: each for name, each in errors.items() if name not in sheet.form.errors})


def _preview(sheet: ProposalSheet) -> Preview | None:
    if sheet.project is None or not sheet.wanted:
        return None
    return preview(
        sheet.viewer, sheet.project, sheet.wanted,
        all_or_nothing=bool(sheet.form["all_or_nothing"].value()),
        involved=workers_of(sheet.users, sheet.groups, sheet.viewer.now),
    )  # fmt: skip


def _context(sheet: ProposalSheet) -> dict[str, object]:
    previewed = _preview(sheet)
    rows = sheet.rows(previewed)
    return {
        "sheet": sheet,
        "form": sheet.form,
        "rows": rows,
        "zones": by_zone(rows),
        "preview": previewed,
        "presets": all_presets(),
        "roles": Role.choices,
        # Once it is sent the form itself says so.
        "wrong": "" if sheet.form.is_bound else _wrong_name(_name(sheet), sheet.viewer),
        "error": sheet.refused,
        "here": "projects",
    }


def _name(sheet: ProposalSheet) -> str:
    return str(sheet.form["name"].value() or "")[: MAX_NAME + 1]


def _show(
    request: HttpRequest, sheet: ProposalSheet, error: DomainError | None = None
) -> HttpResponse:
    status = error.status if error else 200
    return render(request, "projects/new.html", _context(sheet), status=status)
