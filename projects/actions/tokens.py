"""Making, changing and ending tokens. A token is made by a person, and never by a token.

The secret leaves `make` and `rotate` once, as text; what is kept is its digest.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from ipaddress import ip_network

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from portal.lib import peppers
from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible, Stale
from portal.lib.locks import lock
from projects.models import ApiToken, ServiceAccount, User
from projects.queries.service_accounts import may_keep_in, visible_tokens
from projects.queries.tokens import is_live, text_of, tokens_in_force
from projects.queries.viewers import Viewer
from projects.states import TokenScope

from .events import record

MOST_LIVE = 50
MOST_NETWORKS = 20
MOST_OVERLAP = timedelta(days=7)
DEFAULT_DAYS = 90
PUBLIC_ID_LENGTH = 12


def make(
    *,
    name: str,
    scopes: Collection[str],
    networks: Collection[str] = (),
    ends_at: datetime | None = None,
    account: ServiceAccount | None = None,
    actor: User,
    now: datetime,
) -> tuple[ApiToken, str]:
    """Make a token of one's own, or of a service account that one owns; the row and its text.

    networks: CIDR, none for anywhere; ends_at: None for 90 days, at most TOKEN_MOST_DAYS from
    now. Only the owner makes tokens of an account, as these act in the owner's name.
    Raises Forbidden, Conflict, Invalid by field.
    """
    _check_is_person(actor)
    with transaction.atomic():
        _hold(actor, account)
        if account is not None:
            _check_own(account, actor, now)
        values = _checked(name, scopes, networks, ends_at, now)
        return _make(values, account, "token made", actor, now)


def rotate(
    *,
    token: ApiToken,
    overlap: timedelta = timedelta(0),
    ends_at: datetime | None = None,
    version: str | None = None,
    actor: User,
    now: datetime,
) -> tuple[ApiToken, str]:
    """Replace a token by one with another secret, the same for all else; the row and its text.

    The old one ends now, or after `overlap`, of at most seven days. For its holder, or the
    owner of its account: whoever learns the secret acts in that person's name.
    Raises Forbidden, NotVisible, Conflict, Invalid; Stale where `version` was seen and is not
    what it is now.
    """
    _check_is_person(actor)
    with transaction.atomic():
        _hold(actor, token.service_account)
        held = _seen(token, Viewer.of(actor, now))
        _check_version(held, version)
        if held.person != actor:
            raise Forbidden(_("Only whoever it acts for makes a new secret for a token."))
        if held.service_account is not None:
            _check_own(held.service_account, actor, now)
        _check_live(held, now)
        if not timedelta(0) <= overlap <= MOST_OVERLAP:
            raise Invalid({"overlap_hours": [_("It lies between 0 and 168 hours.")]})
        values = _checked(held.name, held.scopes, held.networks, ends_at, now)
        if overlap:
            held.ends_at = min(held.ends_at, now + overlap)
            held.save(update_fields=["ends_at"])
        else:
            _end(ApiToken.objects.filter(pk=held.pk), actor, now)
        return _make(values, held.service_account, "token rotated", actor, now, before=held.pk)


def revoke(*, token: ApiToken, version: str | None = None, actor: User, now: datetime) -> None:
    """End a token at once, for good.

    For its holder, the owner of its account, whoever keeps the programs of its place, and
    operators; and a token may end itself. Raises NotVisible, Forbidden, Conflict; Stale where
    `version` was seen and is not what it is now.
    """
    with transaction.atomic():
        held = lock(ApiToken.objects.filter(pk=token.pk))[0]
        if actor.token is None:
            _check_may_revoke(_seen(token, Viewer.of(actor, now)), Viewer.of(actor, now))
        elif actor.token.pk != held.pk:
            raise Forbidden(_("A token ends no token but itself."))
        _check_version(held, version)
        if not _end(ApiToken.objects.filter(pk=held.pk, ends_at__gt=now), actor, now):
            raise Conflict(_("This token is not in force any more."))
        _note("token revoked", held, actor, now)


def end_all_of(account: ServiceAccount, actor: User, now: datetime) -> int:
    """End what is in force of an account's tokens, in the transaction of the act; how many."""
    return _end(tokens_in_force(now).filter(service_account=account), actor, now)


def end_all_of_person(person: User, actor: User | None, now: datetime) -> int:
    """End all by which anything acts in a person's name, as they leave; how many.

    Their service accounts stay, for whoever takes them over.
    """
    theirs = Q(user=person) | Q(service_account__owner=person)
    ids = tokens_in_force(now).filter(theirs).values_list("pk", flat=True)
    return _end(ApiToken.objects.filter(pk__in=list(ids)), actor, now)


def may_revoke(token: ApiToken, viewer: Viewer) -> bool:
    """Its person, whoever keeps the programs of its place, an operator. One query at most."""
    account = token.service_account
    if viewer.place is not None:
        return False
    return (
        token.person == viewer.user
        or viewer.is_operator
        or (account is not None and may_keep_in(viewer, account.place))
    )


def _check_is_person(actor: User) -> None:
    if actor.token is not None:
        raise Forbidden(_("That is done in the pages, by a person who signed in."))


def _hold(actor: User, account: ServiceAccount | None) -> None:
    """One at a time makes tokens for a bearer: they are counted."""
    if account is None:
        lock(User.objects.filter(pk=actor.pk))
    else:
        lock(ServiceAccount.objects.filter(pk=account.pk))
        account.refresh_from_db()


def _seen(token: ApiToken, viewer: Viewer) -> ApiToken:
    """As it is now; raises NotVisible where it is none of the person's business."""
    found = visible_tokens(viewer).filter(pk=token.pk).first()
    if found is None:
        raise NotVisible(_("There is no such token."))
    return found


def _check_own(account: ServiceAccount, actor: User, now: datetime) -> None:
    if account.closed_at is not None:
        raise Conflict(_("This service account is closed."))
    if account.owner_id != actor.pk or not may_keep_in(Viewer.of(actor, now), account.place):
        raise Forbidden(
            _("Its tokens act in the owner's name: only the owner makes them. Take it over first.")
        )


def _check_may_revoke(token: ApiToken, viewer: Viewer) -> None:
    if not may_revoke(token, viewer):
        raise Forbidden(_("Its holder ends a token, or whoever keeps the programs there."))


def _check_version(token: ApiToken, seen: str | None) -> None:
    if seen is not None and seen != token.version:
        raise Stale(_("This token was changed meanwhile."), version=token.version)


def _check_live(token: ApiToken, now: datetime) -> None:
    if not is_live(token, now):
        raise Conflict(_("This token is not in force any more."))


def _end(rows: object, actor: User | None, now: datetime) -> int:
    live = rows.filter(revoked_at__isnull=True)  # type: ignore[attr-defined]  # a query of tokens
    return int(live.update(revoked_at=now, revoked_by=actor))


def _make(
    values: dict[str, object],
    account: ServiceAccount | None,
    verb: str,
    actor: User,
    now: datetime,
    **data: int,
) -> tuple[ApiToken, str]:
    bearer = {"service_account": account} if account is not None else {"user": actor}
    if tokens_in_force(now).filter(**bearer).count() >= MOST_LIVE:
        words = {"most": MOST_LIVE}
        raise Conflict(_("%(most)s tokens are in force: revoke some first.") % words, **words)
    secret, pepper = peppers.new_secret(), peppers.newest()
    token = ApiToken.objects.create(
        public_id=peppers.new_secret()[:PUBLIC_ID_LENGTH],
        digest=peppers.digest(secret, pepper),
        pepper_id=pepper,
        created_at=now,
        created_by=actor,
        **bearer,
        **values,
    )
    _note(verb, token, actor, now, **data)
    return token, text_of(token.public_id, secret)


def _note(verb: str, token: ApiToken, actor: User, now: datetime, **data: int) -> None:
    account = token.service_account
    record(
        verb, actor=actor, now=now, subject_kind="token", subject_id=token.pk,
        project=account.project if account else None, unit=account.unit if account else None,
        **data,
    )  # fmt: skip


def _checked(
    name: str,
    scopes: Collection[str],
    networks: Collection[str],
    ends_at: datetime | None,
    now: datetime,
) -> dict[str, object]:
    """The columns of a token as given; raises Invalid with all that is wrong."""
    errors: dict[str, list[str]] = {}
    name = " ".join(name.split())
    if not name:
        errors["name"] = [_("Say what it is for.")]
    elif len(name) > 100 or not name.isprintable():
        errors["name"] = [_("At most 100 characters, on one line.")]
    known = [each.value for each in TokenScope if each.value in set(scopes)]
    if unknown := set(scopes) - set(known):
        errors["scopes"] = [_("There is no scope “%(scope)s”.") % {"scope": min(unknown)[:20]}]
    elif not known:
        errors["scopes"] = [_("Choose at least one.")]
    found, wrong = _networks(networks)
    if wrong:
        errors["networks"] = wrong
    most = now + timedelta(days=settings.TOKEN_MOST_DAYS)
    end = ends_at if ends_at is not None else min(now + timedelta(days=DEFAULT_DAYS), most)
    if not now < end <= most:
        words = {"days": settings.TOKEN_MOST_DAYS}
        errors["ends_at"] = [_("It lies ahead, at most %(days)s days.") % words]
    if errors:
        raise Invalid(errors)
    return {"name": name, "scopes": known, "networks": found, "ends_at": end}


def _networks(given: Collection[str]) -> tuple[list[str], list[str]]:
    """As ipaddress writes them, each once; and the sentences about those that are none."""
    if len(given) > MOST_NETWORKS:
        return [], [_("At most %(most)s networks.") % {"most": MOST_NETWORKS}]
    found: list[str] = []
    for each in given:
        try:
            found.append(str(ip_network(each.strip())))
        except ValueError:
            sentence = _("“%(text)s” is no network: write 192.0.2.0/24 or 2001:db8::/32.")
            return [], [sentence % {"text": each[:50]}]
    return list(dict.fromkeys(found)), []
