"""Somebody signed in at the identity provider: who are they to us, and in which groups?

Known by (issuer, subject). What the provider does not say is left as it was: only a list of
groups, also an empty one, takes somebody out of a group, and only of those of that issuer.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils.module_loading import import_string

from portal.lib.locks import lock
from portal.lib.openid.claims import GroupClaim, PersonClaims
from portal.lib.openid.failures import Failed, Failure
from projects.models import Group, GroupMembership, User

from .events import record, record_many
from .joining import members_changed
from .people import end_memberships, rename_groups

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """Who came, and the ids of the groups that they joined and left by it."""

    user: User
    is_first: bool
    joined: frozenset[int] = frozenset()
    left: frozenset[int] = frozenset()


def arrive(*, claims: PersonClaims, now: datetime) -> Arrival:
    """Take down what the provider says of a person, who is about to be signed in.

    Raises Failed where the person may not sign in any more; nothing is changed then. Locks
    the person, then the groups that they join or leave.
    """
    with transaction.atomic():
        user = _person(claims, now)
        if not user.is_active:
            raise Failed(Failure.CLOSED, "the person is marked as closed")
        is_first = user.last_login is None
        user.last_login = now
        user.save(update_fields=["last_login"])
        if is_first:
            record("person arrived", actor=user, now=now, subject_kind="user", subject_id=user.pk)
        if claims.groups is None:
            return Arrival(user, is_first)
        joined, left = set_groups_of(user=user, issuer=claims.issuer, groups=claims.groups, now=now)
    return Arrival(user, is_first, joined, left)


def arrived(*, user: User, first_time: bool, now: datetime) -> None:
    """What follows a sign-in, of a local account too: the steps of settings.ARRIVAL_STEPS.

    Each is a function of (user, first_time, now), in a transaction of its own. One that fails
    keeps nobody out and is not repeated before the next sign-in, so a step looks at what is
    there and not at `first_time` alone.
    """
    for name in settings.ARRIVAL_STEPS:
        try:
            with transaction.atomic():
                import_string(name)(user=user, first_time=first_time, now=now)
        except Exception:
            logger.exception("a step after sign-in failed", extra={"step": name, "user": user.pk})


def set_groups_of(
    *, user: User, issuer: str, groups: Sequence[GroupClaim], now: datetime
) -> tuple[frozenset[int], frozenset[int]]:
    """Make these the groups of that issuer that a person is in; ids of those joined and left.

    In the transaction of the caller, who holds the person. A group that is new is made, one
    that is called otherwise is renamed. The same number of queries for any number of groups.
    """
    names = {each.external_id: each.name for each in groups}
    known = _known(names, issuer, now)
    wanted = {each.pk for each in known.values()}
    # Without the groups' locks: nearly always nothing changes, and nobody need wait for it.
    touched = wanted ^ _held(user, issuer).keys()
    renamed = {each.pk for key, each in known.items() if names[key] not in ("", each.name)}
    if not touched and not renamed:
        return frozenset(), frozenset()
    rename_groups(lock(Group.objects.filter(pk__in=touched | renamed)), names, now)
    held = _held(user, issuer)
    joined = (wanted - held.keys()) & touched
    left = (held.keys() - wanted) & touched
    end_memberships(GroupMembership.objects.filter(pk__in=[held[pk].pk for pk in left]), now)
    GroupMembership.objects.bulk_create(
        GroupMembership(group_id=pk, user=user, starts_at=now) for pk in sorted(joined)
    )
    record_many(
        "group changed", now=now, subject_kind="group",
        facts={
            pk: {"joined": int(pk in joined), "left": int(pk in left), "person": user.pk}
            for pk in sorted(joined | left)
        },
    )  # fmt: skip
    members_changed(joined={pk: [user.pk] for pk in joined}, left=left, now=now)
    return frozenset(joined), frozenset(left)


def _person(claims: PersonClaims, now: datetime) -> User:
    """The person, held, with the name and mail of today; one who is closed is left alone."""
    known = User.objects.filter(issuer=claims.issuer, subject=claims.subject)
    if not known.exists():
        # Two windows may come back at once.
        User.objects.bulk_create(
            [User(issuer=claims.issuer, subject=claims.subject, password=make_password(None))],
            ignore_conflicts=True,
        )
    (user,) = lock(known)
    said = {"name": claims.name, "mail": claims.mail}
    changed = [each for each, text in said.items() if text and text != getattr(user, each)]
    if user.is_active and changed:
        for each in changed:
            setattr(user, each, said[each])
        user.save(update_fields=changed)
        if user.last_login is not None:
            record(
                "person changed", actor=None, now=now, subject_kind="user", subject_id=user.pk,
                fields=changed,
            )  # fmt: skip
    return user


def _known(names: Mapping[str, str], issuer: str, now: datetime) -> dict[str, Group]:
    """{external id: the group}; those that nobody heard of are made, by the provider's names."""
    rows = Group.objects.filter(issuer=issuer, external_id__in=names)
    known = {each.external_id: each for each in rows}
    missing = sorted(names.keys() - known.keys())
    if missing:
        Group.objects.bulk_create(
            [Group(issuer=issuer, external_id=key, name=names[key] or key) for key in missing],
            ignore_conflicts=True,
        )
        made = [each for each in rows.all() if each.external_id not in known]
        known |= {each.external_id: each for each in made}
        record_many(
            "group made", now=now, subject_kind="group", facts={each.pk: {} for each in made}
        )
    return known


def _held(user: User, issuer: str) -> Mapping[int, GroupMembership]:
    """{group id: the membership} of the groups of an issuer that somebody is in."""
    rows = GroupMembership.objects.filter(user=user, ends_at__isnull=True, group__issuer=issuer)
    return {each.group_id: each for each in rows}
