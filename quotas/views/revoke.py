"""Taking a delegation back: what hangs from it first; then all ends, or goes on under another."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from portal.lib.access import shows
from portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, NotVisible, Stale
from projects.actions.delegations import MAX_WHY
from projects.models import Delegation
from projects.queries.delegations import visible_delegations
from projects.queries.viewers import Viewer
from projects.rules import may_revoke
from projects.views.viewer import viewer_of
from quotas.actions.reissue import Move, plan, reissue, revoke_seen
from quotas.forms import TextField, take_errors
from quotas.queries.hanging import hanging_from

from .pages import ids_in

MOST_BELOW = 200


class RevokeForm(forms.Form):
    """Why, for those who lose something by it."""

    reason = TextField(label=gettext_lazy("Why"), rows=2, most=MAX_WHY)


@shows("take back")
@require_http_methods(["GET", "HEAD", "POST"])
def delegation_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """`?under=<id>`: what is below goes on under that delegation of one's own."""
    viewer = viewer_of(request)
    delegation = revocable(viewer, pk)
    sent = request.POST if request.method == "POST" else request.GET
    under = _under(viewer, delegation, sent.get("under", ""))
    form = RevokeForm(request.POST if request.method == "POST" else None)
    error: DomainError | None = None
    if request.method == "POST":
        try:
            return _act(request, viewer, delegation, under, form)
        except Invalid as refused:
            take_errors(form, refused.errors)
            error = refused
        except (Conflict, Stale) as refused:
            error = refused
    return _show(request, viewer, delegation, under, form, error)


def revocable(viewer: Viewer, pk: int) -> Delegation:
    """A delegation that the person may take back; raises NotVisible, Forbidden, Conflict."""
    found = visible_delegations(viewer).filter(pk=pk).first()
    if found is None:
        raise NotVisible(_("There is no such delegation."))
    if not may_revoke(viewer, found):
        sentence = _("Only who handed it on, or somebody above, can take it back.")
        if found.parent_id is None:
            sentence = _("A root is ended by the operators’ command: manage.py revoke_root.")
        raise Forbidden(sentence)
    if found.revoked_at is not None:
        raise Conflict(_("It was revoked already."))
    return found


def _under(viewer: Viewer, delegation: Delegation, text: str) -> Delegation | None:
    if not text:
        return None
    for each in takers_over(viewer, delegation):
        if str(each.pk) == text:
            return each
    # To revoke without anything going on is another act than the one that was meant.
    raise Forbidden(_("You do not hold that delegation now, so you cannot hand it on."))


def takers_over(viewer: Viewer, delegation: Delegation) -> list[Delegation]:
    """One's own delegations under which what hangs from another could go on, the nearest first."""
    mine = [
        each
        for each in viewer.delegations
        if each.depth > 0
        and each.pk != delegation.pk
        and delegation.pk not in each.ancestors
        and (
            delegation.unit.path.startswith(each.unit.path)
            or each.unit.path.startswith(delegation.unit.path)
        )
    ]
    return sorted(mine, key=lambda each: (-(each.pk in delegation.ancestors), -each.pk))


def _act(
    request: HttpRequest,
    viewer: Viewer,
    delegation: Delegation,
    under: Delegation | None,
    form: RevokeForm,
) -> HttpResponse:
    why = form.cleaned_data["reason"] if form.is_valid() else ""
    seen = request.POST.get("seen", "")
    common: dict[str, Any] = {
        "delegation": delegation, "actor": viewer.user, "why": why, "seen": seen, "now": viewer.now,
    }  # fmt: skip
    words: dict[str, Any] = {"name": delegation, "who": delegation.user or delegation.group}
    if under is None:
        revoke_seen(**common)
        messages.success(request, _("%(name)s of %(who)s is revoked.") % words)
        return redirect("delegation_detail", pk=delegation.pk)
    done = reissue(parent=under, trim=ids_in(request.POST, "trim", MOST_BELOW), **common)
    words["count"] = len(done.made)
    sentence = ngettext(
        "%(name)s of %(who)s is revoked; %(count)d below it goes on.",
        "%(name)s of %(who)s is revoked; %(count)d below it go on.",
        len(done.made),
    )
    messages.success(request, sentence % words)
    for move in done.left_out:
        left = {"name": move.old, "who": move.old.user or move.old.group, "why": _reason(move)}
        messages.warning(request, _("%(name)s of %(who)s has ended: %(why)s") % left)
    return redirect("delegation_detail", pk=delegation.pk)


def _reason(move: Move) -> str:
    return move.why_not or (move.beyond[0] if move.beyond else _("what it hung from has ended."))


def _show(
    request: HttpRequest,
    viewer: Viewer,
    delegation: Delegation,
    under: Delegation | None,
    form: RevokeForm,
    error: DomainError | None,
) -> HttpResponse:
    moves: list[Move] = []
    if under is not None:
        moves = plan(delegation=delegation, parent=under, actor=viewer.user, now=viewer.now)
    kept = [each.old.pk for each in moves if each.fits]
    hanging = hanging_from(delegation, viewer, kept)
    # A rule on the delegation itself has nothing to go on by; others go with what they stand on.
    going_on = {each.pk for each in hanging.policies if each.delegation_id in kept}
    context = {
        "here": "remit",
        "viewer": viewer,
        "delegation": delegation,
        "who": delegation.user or delegation.group,
        "hanging": hanging,
        "below": hanging.below[:MOST_BELOW],
        "more_below": max(len(hanging.below) - MOST_BELOW, 0),
        "more_waiting": hanging.waiting_count - len(hanging.waiting),
        "moves": moves[:MOST_BELOW],
        "going_on": going_on,
        "stopping_count": len(hanging.policies) - len(going_on),
        "under": under,
        "takers": takers_over(viewer, delegation) if hanging.below else [],
        "trimmed": set(ids_in(request.POST, "trim", MOST_BELOW)),
        "form": form,
        "error": None if isinstance(error, Invalid) else error,
        "is_invalid": isinstance(error, Invalid),
    }
    status = error.status if error else 200
    return render(request, "remit/revoke.html", context, status=status)
