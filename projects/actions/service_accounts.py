"""Service accounts: made in a project or a unit, taken over, closed. By people alone."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from portal.lib.locks import lock
from projects.models import Project, ServiceAccount, Unit, User
from projects.queries.service_accounts import may_keep_in
from projects.queries.viewers import Viewer
from projects.states import ProjectState

from .events import record
from .tokens import end_all_of

MOST_IN_PLACE = 100


def make(
    *, place: Project | Unit, name: str, purpose: str = "", actor: User, now: datetime
) -> ServiceAccount:
    """Make a service account of a project or a unit, owned by who makes it.

    Raises Forbidden, Conflict (closed or retired place, a name that is taken), Invalid.
    """
    with transaction.atomic():
        check_may_keep(Viewer.of(actor, now), place)
        held = lock(type(place)._default_manager.filter(pk=place.pk))[0]
        _check_stands(held)
        values = _checked(name, purpose)
        where = {"project": held} if isinstance(held, Project) else {"unit": held}
        living = ServiceAccount.objects.filter(closed_at__isnull=True, **where)
        if living.count() >= MOST_IN_PLACE:
            words = {"most": MOST_IN_PLACE}
            raise Conflict(_("There are %(most)s already: close some first.") % words, **words)
        if living.filter(name=values["name"]).exists():
            raise Conflict(_("There is one of that name here."))
        account = ServiceAccount.objects.create(
            owner=actor, created_by=actor, created_at=now, **where, **values
        )
        _note("service account made", account, actor, now)
    return account


def take_over(
    *, account: ServiceAccount, version: str | None = None, actor: User, now: datetime
) -> ServiceAccount:
    """Become the owner: from now on it acts in one's name.

    Nobody is made an owner by somebody else, so that nobody answers for what they did not
    accept. Its tokens end: whoever knows their secrets would act in the new owner's name.
    Raises Forbidden, Conflict; Stale where `version` was seen and is not what it is now.
    """
    with transaction.atomic():
        held = _hold(account, version)
        check_may_keep(Viewer.of(actor, now), held.place)
        if held.owner_id == actor.pk:
            raise Conflict(_("It is yours already."))
        before = held.owner_id
        count = end_all_of(held, actor, now)
        held.owner = actor
        held.save(update_fields=["owner"])
        _note("service account taken over", held, actor, now, before=before, tokens=count)
    return held


def close(
    *, account: ServiceAccount, version: str | None = None, actor: User, now: datetime
) -> ServiceAccount:
    """Close it for good: its tokens end at once. For its owner, who keeps its place, operators.

    Raises Forbidden, Conflict; Stale where `version` was seen and is not what it is now.
    """
    with transaction.atomic():
        held = _hold(account, version)
        if not may_close(held, Viewer.of(actor, now)):
            raise Forbidden(_("Its owner closes it, or whoever keeps the programs there."))
        count = end_all_of(held, actor, now)
        held.closed_at, held.closed_by = now, actor
        held.save(update_fields=["closed_at", "closed_by"])
        _note("service account closed", held, actor, now, tokens=count)
    return held


def check_may_keep(viewer: Viewer, place: Project | Unit) -> None:
    """Raise Forbidden unless the person keeps the programs of that place, and is no program."""
    _check_is_person(viewer.user)
    if may_keep_in(viewer, place):
        return
    if isinstance(place, Project):
        raise Forbidden(_("Owners and managers of a project keep its service accounts."))
    raise Forbidden(_("Who decides or funds in a unit keeps its service accounts."))


def may_close(account: ServiceAccount, viewer: Viewer) -> bool:
    """Its owner, whoever keeps the programs of its place, an operator; never by a token."""
    return viewer.user.token is None and (
        account.owner_id == viewer.user.pk
        or viewer.is_operator
        or may_keep_in(viewer, account.place)
    )


def _check_is_person(actor: User) -> None:
    if actor.token is not None:
        raise Forbidden(_("That is done in the pages, by a person who signed in."))


def _hold(account: ServiceAccount, version: str | None) -> ServiceAccount:
    held = lock(ServiceAccount.objects.filter(pk=account.pk))[0]
    if version is not None and version != held.version:
        raise Stale(_("This service account was changed meanwhile."), version=held.version)
    if held.closed_at is not None:
        raise Conflict(_("This service account is closed."))
    return held


def _check_stands(place: Project | Unit) -> None:
    if isinstance(place, Unit) and place.retired_at is not None:
        raise Conflict(_("%(unit)s is retired already.") % {"unit": place.label})
    if isinstance(place, Project) and place.state in (ProjectState.CLOSING, ProjectState.CLOSED):
        raise Conflict(_("%(project)s is closed.") % {"project": place.name})


def _checked(name: str, purpose: str) -> dict[str, str]:
    errors = {}
    name, purpose = " ".join(name.split()), " ".join(purpose.split())
    if not name:
        errors["name"] = [_("Give it a name.")]
    elif len(name) > 100 or not name.isprintable():
        errors["name"] = [_("At most 100 characters, on one line.")]
    if len(purpose) > 500 or (purpose and not purpose.isprintable()):
        errors["purpose"] = [_("At most 500 characters.")]
    if errors:
        raise Invalid(errors)
    return {"name": name, "purpose": purpose}


def _note(verb: str, account: ServiceAccount, actor: User, now: datetime, **data: int) -> None:
    record(
        verb, actor=actor, now=now, project=account.project, unit=account.unit,
        subject_kind="service account", subject_id=account.pk, **data,
    )  # fmt: skip
