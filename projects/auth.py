"""Who is this? Local accounts by a name and a password; others as their provider says.

People of a provider are never found by a password, nor local accounts by a provider.
"""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from portal.lib.client_address import client_address
from projects.models import User


class PeopleBackend(BaseBackend):
    """Finds who a session belongs to; a session of somebody who was closed out is nobody's."""

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()


class ProviderBackend(PeopleBackend):
    """For sessions that an identity provider vouched for; knows no words to sign in with."""


class LocalBackend(PeopleBackend):
    """Knows the accounts of issuer "local"; people of identity providers never match."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None,
        **credentials: Any,
    ) -> User | None:  # fmt: skip
        """Whose name and password these are, also if the account is closed: the form says so."""
        if not username or not password:
            return None
        try:
            user = User.objects.local(username)
        except User.DoesNotExist:
            # As long as for a name that exists, so that names cannot be guessed by time.
            make_password(password)
            return None
        return user if user.check_password(password) else None


def address_of(request: HttpRequest) -> str | None:
    """Where somebody tries to sign in from, as far as the site's proxies can be believed."""
    address = client_address(request.META)
    return None if address is None else str(address)
