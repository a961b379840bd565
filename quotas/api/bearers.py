"""Who calls: a program with a token, in the name of the person behind it."""

from datetime import datetime, timedelta
from ipaddress import ip_network

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from portal.lib.client_address import Address, client_address
from portal.lib.errors import Forbidden
from projects.models import ApiToken, User
from projects.queries.tokens import live_token

# Not every call is worth a write.
USED_EVERY = timedelta(minutes=1)


class Bearer(BaseAuthentication):
    """`Authorization: Bearer remit_…`; without such a header somebody else is asked."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, __, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        now = timezone.now()
        token = live_token(text.strip(), now)
        if token is None:
            raise AuthenticationFailed(_("There is no such token in force: make one in the pages."))
        if not _is_allowed(token, client_address(request.META)):
            raise Forbidden(_("This token may not be used from this address."))
        _note_use(token, now)
        person = token.person
        person.token = token
        return person, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="remit"'


def _is_allowed(token: ApiToken, here: Address | None) -> bool:
    if not token.networks:
        return True
    return here is not None and any(here in ip_network(each) for each in token.networks)


def _note_use(token: ApiToken, now: datetime) -> None:
    """Left to a later call where somebody holds the token's row: no call waits for this."""
    due = now - USED_EVERY
    if token.last_used_at is not None and token.last_used_at > due:
        return
    rows = ApiToken.objects.filter(Q(last_used_at=None) | Q(last_used_at__lte=due), pk=token.pk)
    with transaction.atomic():
        free = rows.select_for_update(no_key=True, skip_locked=True).values("pk")
        ApiToken.objects.filter(pk__in=free).update(last_used_at=now)


class BearerScheme(OpenApiAuthenticationExtension):
    """How the document tells of it; found by being imported."""

    target_class = Bearer
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of one's own, or of a service account. Its scopes, networks "
            "and place narrow what its person may do.",
        }
