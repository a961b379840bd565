"""What people do with their webhooks: make, change, test, replay, switch and delete them.

Nothing is sent here: each verb changes rows, and workers call.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible, Stale
from portal.lib.wake import wake_after_commit
from projects.models import Event, Project, Unit, User, Webhook, WebhookCall
from projects.outgoing.addresses import Reach, WrongUrl, parse
from projects.outgoing.event_types import TYPES
from projects.outgoing.feeding import may_have
from projects.outgoing.notices import tell
from projects.outgoing.signing import SecretLost, new_secret, opened, sealed
from projects.queries.events import Place, horizon, place_before
from projects.queries.viewers import Viewer
from projects.queries.webhooks import others_webhooks, own_webhooks
from projects.states import CallState, NoticeKind, WebhookState

from .events import record

CALL_TASK = "projects.tasks.call_webhooks"
MOST_WEBHOOKS = 20
MAX_NAME = 100
# For how long the old secret signs too.
OLD_SECRET_LIVES = timedelta(hours=24)
MOST_REPLAYED = timedelta(days=30)


@dataclass(frozen=True)
class Terms:
    """What one says of a webhook. types: names of `event_types.TYPES`; none of them: all."""

    name: str
    url: str
    types: Collection[str] = ()


def make(
    *,
    terms: Terms,
    project: Project | None = None,
    unit: Unit | None = None,
    viewer: Viewer,
) -> tuple[Webhook, str]:
    """Make a webhook for oneself, a project or a unit; returns it and its secret, shown once.

    It is told of what happens from now on. Raises Invalid, Forbidden for somebody without the
    place, Conflict for one too many.
    """
    now, owner = viewer.now, viewer.user
    secret = new_secret()
    fields = _checked(terms)
    with transaction.atomic():
        _must_have_room(owner)
        start = horizon()
        webhook = Webhook(
            owner=owner, project=project, unit=unit, secret=sealed(secret), created_at=now,
            after_xid=start.xid, after_id=start.id, **fields,
        )  # fmt: skip
        _must_have(viewer, webhook)
        webhook.save(force_insert=True)
        _record("webhook made", webhook, owner, now)
    return webhook, secret


def change(*, webhook: Webhook, terms: Terms, version: int, viewer: Viewer) -> Webhook:
    """Say something else of it; raises Invalid, Forbidden, Stale."""
    fields = _checked(terms)
    with transaction.atomic():
        locked = _locked(webhook, viewer, version)
        _update(locked, version=version + 1, **fields)
        _record("webhook changed", locked, viewer.user, viewer.now)
    return locked


def rotate(*, webhook: Webhook, version: int | None = None, viewer: Viewer) -> tuple[Webhook, str]:
    """A new secret, returned once; the old one signs too for a day, unless it is lost."""
    secret = new_secret()
    with transaction.atomic():
        locked = _locked(webhook, viewer, version)
        old = _old_secret(locked, viewer.now)
        _update(locked, secret=sealed(secret), version=locked.version + 1, **old)
        _record("webhook changed", locked, viewer.user, viewer.now)
    return locked, secret


def take_over(*, webhook: Webhook, version: int | None = None, viewer: Viewer) -> Webhook:
    """Become the owner of somebody else's: it is told what one may see oneself, from now on.

    For whoever could have made it; nobody is made an owner by somebody else. Its secret stays,
    so that its receiver goes on. What it was not told of as its owner had left is not sent: a
    replay does that. Whose it was is told. Raises NotVisible, Forbidden by a token, Conflict,
    Stale.
    """
    if viewer.user.token is not None:
        raise Forbidden(_("That is done in the pages, by a person who signed in."))
    with transaction.atomic():
        _must_have_room(viewer.user)
        locked = (
            others_webhooks(viewer)
            .select_for_update(of=("self",), no_key=True)
            .filter(pk=webhook.pk)
            .first()
        )
        if locked is None:
            raise NotVisible(_("There is no such webhook that you could take over."))
        if version is not None and locked.version != version:
            raise Stale(_("It was changed meanwhile: look again."), version=locked.version)
        before = locked.owner_id
        _update(locked, owner=viewer.user, version=locked.version + 1)
        event = _record("webhook taken over", locked, viewer.user, viewer.now, before=before)
        tell(event, [before], NoticeKind.WEBHOOK_TAKEN)
    return locked


def ping(*, webhook: Webhook, viewer: Viewer) -> WebhookCall:
    """Let a worker send a test, which waits for no pause after a failure; what else is due does.

    Raises Conflict where it is off, or a test is on its way.
    """
    with transaction.atomic():
        locked = _locked(webhook, viewer)
        _must_be(locked, WebhookState.ON)
        waiting = WebhookCall.objects.filter(
            webhook=locked, event__isnull=True, state=CallState.DUE
        )
        if waiting.exists():
            raise Conflict(_("A test is on its way: see what becomes of it."))
        call = WebhookCall.objects.create(webhook=locked, due_at=viewer.now, created_at=viewer.now)
        wake_after_commit(CALL_TASK)
    return call


def replay(
    *,
    webhook: Webhook,
    since: datetime | None = None,
    after: Place | None = None,
    viewer: Viewer,
) -> Webhook:
    """Tell it again of what happened since a moment, or after a place of the feed.

    Ids of calls stay what they were, so that a receiver knows what it has. Raises Invalid for
    a moment to come or more than 30 days ago, or for neither or both of them. A place further
    back is taken as the one of 30 days ago.
    """
    now = viewer.now
    if (since is None) == (after is None):
        raise Invalid({"since": [_("Say since when, or after which event.")]})
    if since is not None and not now - MOST_REPLAYED <= since <= now:
        sentence = _("Name a moment of the last %(days)s days.") % {"days": MOST_REPLAYED.days}
        raise Invalid({"since": [sentence]})
    oldest = place_before(now - MOST_REPLAYED)
    start = max(after or oldest, oldest) if since is None else place_before(since)
    with transaction.atomic():
        locked = _locked(webhook, viewer)
        _must_be(locked, WebhookState.ON)
        # Never forward: what it was not told of yet would be left out.
        place = min(start, Place(locked.after_xid, locked.after_id))
        _update(locked, after_xid=place.xid, after_id=place.id, held_until=None)
    return locked


def switch_on(
    *, webhook: Webhook, missed: bool = False, version: int | None = None, viewer: Viewer
) -> Webhook:
    """Call it again. missed: also with what happened since it stopped, which else is left out."""
    with transaction.atomic():
        locked = _locked(webhook, viewer, version)
        if locked.state == WebhookState.ON:
            raise Conflict(_("It is on already."))
        fields: dict[str, Any] = {}
        if missed:
            WebhookCall.objects.filter(webhook=locked, state=CallState.DUE).update(
                due_at=viewer.now
            )
        else:
            start = horizon()
            fields = {"after_xid": start.xid, "after_id": start.id}
            _end_calls(locked, viewer.now)
        _update(
            locked, state=WebhookState.ON, state_why="", failing_since=None, failure_count=0,
            held_until=None, version=locked.version + 1, **fields,
        )  # fmt: skip
        _record("webhook changed", locked, viewer.user, viewer.now)
    return locked


def switch_off(*, webhook: Webhook, version: int | None = None, viewer: Viewer) -> Webhook:
    """Call it no more, until it is switched on."""
    with transaction.atomic():
        locked = _locked(webhook, viewer, version, is_ending=True)
        _must_be(locked, WebhookState.ON)
        _update(locked, state=WebhookState.OFF, version=locked.version + 1)
        _record("webhook changed", locked, viewer.user, viewer.now)
    return locked


def delete(*, webhook: Webhook, version: int | None = None, viewer: Viewer) -> None:
    """Forget it and its secret; its log goes by age."""
    with transaction.atomic():
        locked = _locked(webhook, viewer, version, is_ending=True)
        _end_calls(locked, viewer.now)
        _update(
            locked, deleted_at=viewer.now, secret=b"", old_secret=None, old_secret_until=None,
            version=locked.version + 1,
        )  # fmt: skip
        _record("webhook deleted", locked, viewer.user, viewer.now)


def disable(*, webhook_id: int, why: str, now: datetime) -> bool:
    """After long failure, or because its receiver is gone: its owner is told. By the workers.

    False where it is on no more.
    """
    with transaction.atomic():
        is_on = Webhook.objects.filter(
            pk=webhook_id, state=WebhookState.ON, deleted_at__isnull=True
        ).update(state=WebhookState.DISABLED, state_why=why[:300])
        if not is_on:
            return False
        webhook = Webhook.objects.select_related("project", "unit").get(pk=webhook_id)
        event = _record("webhook disabled", webhook, None, now)
        tell(event, [webhook.owner_id], NoticeKind.WEBHOOK_DISABLED)
    return True


def _locked(
    webhook: Webhook, viewer: Viewer, version: int | None = None, *, is_ending: bool = False
) -> Webhook:
    """The row of one's own, held. is_ending: also for who may not have it any more.

    version: what the person saw, if they say so; raises Stale where it is another by now.
    """
    locked = (
        own_webhooks(viewer)
        .select_for_update(of=("self",), no_key=True)
        .filter(pk=webhook.pk)
        .first()
    )
    if locked is None:
        raise NotVisible(_("You have no such webhook."))
    if not is_ending:
        _must_have(viewer, locked)
    if version is not None and locked.version != version:
        raise Stale(_("It was changed meanwhile: look again."), version=locked.version)
    return locked


def _must_have_room(owner: User) -> None:
    """Raises Conflict for somebody who has as many as there can be; holds their row."""
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    if Webhook.objects.filter(owner=owner, deleted_at__isnull=True).count() >= MOST_WEBHOOKS:
        words = {"most": MOST_WEBHOOKS}
        raise Conflict(_("You have %(most)s webhooks, the most there can be.") % words)


def _must_have(viewer: Viewer, webhook: Webhook) -> None:
    if viewer.place is not None and webhook.project is None and webhook.unit is None:
        raise Forbidden(_("A service account has webhooks of its project or unit alone."))
    if webhook.project is not None and webhook.unit is not None:
        raise Invalid({"unit": [_("Name a project or a unit, not both.")]})
    if may_have(viewer, webhook):
        return
    if webhook.project is not None:
        raise Forbidden(_("Only an owner or a manager of the project has webhooks for it."))
    raise Forbidden(_("Only who decides, funds or audits in the unit has webhooks for it."))


def _must_be(webhook: Webhook, state: WebhookState) -> None:
    if webhook.state != state:
        raise Conflict(_("It is off: switch it on first."))


def _checked(terms: Terms) -> dict[str, Any]:
    """The fields of the row; raises Invalid with all that is wrong."""
    errors: dict[str, list[str]] = {}
    name = terms.name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        errors["name"] = [_("Give it a name of up to %(most)s characters.") % {"most": MAX_NAME}]
    try:
        parse(
            terms.url, may_be_plain=settings.WEBHOOK_ALLOW_HTTP,
            reach=site_reach(),
        )  # fmt: skip
    except WrongUrl as error:
        errors["url"] = [str(error)]
    unknown = sorted(set(terms.types) - set(TYPES))
    if unknown:
        errors["types"] = [_("There is no type %(type)s.") % {"type": unknown[0][:60]}]
    if errors:
        raise Invalid(errors)
    return {"name": name, "url": terms.url, "verbs": sorted(set(terms.types))}


def site_reach() -> Reach:
    """Which networks the site says something about."""
    return Reach(settings.WEBHOOK_ALLOW_PRIVATE, settings.WEBHOOK_REFUSE)


def _end_calls(webhook: Webhook, now: datetime) -> None:
    WebhookCall.objects.filter(webhook=webhook, state=CallState.DUE).update(
        state=CallState.GIVEN_UP, ended_at=now, lease=None, lease_until=None
    )


def _update(webhook: Webhook, **fields: Any) -> None:
    """Write fields of a row that is held."""
    for name, value in fields.items():
        setattr(webhook, name, value)
    webhook.save(update_fields=list(fields))


def _old_secret(webhook: Webhook, now: datetime) -> dict[str, Any]:
    """What signs for another day, as fields; nothing where it is lost: it signs no more."""
    kept = bytes(webhook.secret)
    try:
        opened(kept)
    except SecretLost:
        return {"old_secret": None, "old_secret_until": None}
    return {"old_secret": kept, "old_secret_until": now + OLD_SECRET_LIVES}


def _record(verb: str, webhook: Webhook, actor: User | None, now: datetime, **data: int) -> Event:
    return record(
        verb, actor=actor, now=now, project=webhook.project, unit=webhook.unit,
        subject_kind="webhook", subject_id=webhook.pk, **data,
    )  # fmt: skip
