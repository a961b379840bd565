"""Sign-in of local accounts: who is this, by a name and a password?"""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from projects.models import User


class LocalBackend(BaseBackend):
    """Knows the accounts of issuer "local"; people of identity providers never match."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None,
        **credentials: Any,
    ) -> User | None:  # fmt: skip
        if not username or not password:
            return None
        try:
            user = User.objects.local(username)
        except User.DoesNotExist:
            # As long as for a name that exists, so that names cannot be guessed by time.
            make_password(password)
            return None
        return user if user.is_active and user.check_password(password) else None

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()
