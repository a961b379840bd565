"""Who acts on a site that is measured, and their sessions, written as a sign-in writes them."""

from dataclasses import dataclass
from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils import timezone

from portal.sessions import SIGNED_IN_AT
from projects.models import User


@dataclass(frozen=True)
class Who:
    """People by id, what they do it to by its slug.

    owner: of a project with all offerings; decider: for whom more wait than a page shows;
    root: sees all, and decides `bulk`, a hundred open requests, and `alone`, some more of the same
    sort, one by one; either is empty on a site of fewer. search: a word that finds something.
    """

    owner: int
    project: str
    offering: str
    decider: int
    root: int
    search: str
    bulk: tuple[int, ...] = ()
    alone: tuple[int, ...] = ()


def sign_in(person: int) -> str:
    """The key of a new session of the person with this id."""
    user = User.objects.get(pk=person)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "projects.auth.ProviderBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[SIGNED_IN_AT] = timezone.now().timestamp()
    session.set_expiry(settings.SESSION_IDLE_SECONDS)
    session.create()
    return str(session.session_key)
