"""Digests of secrets that are looked up again, keyed so that the table alone opens nothing.

A secret here is 32 random bytes, so one HMAC is enough: there is no word to guess.
"""

import hmac
import secrets
from collections.abc import Iterable

from django.conf import settings

ID_LENGTH = 8


def new_secret() -> str:
    """256 random bits, in letters that need no quoting in a header or a shell."""
    return secrets.token_hex(32)


def newest() -> str:
    """The id of the pepper for new digests: the first that the settings name."""
    return next(iter(settings.TOKEN_PEPPERS))


def digest(secret: str, pepper_id: str) -> bytes:
    """HMAC-SHA256 of the secret; raises KeyError where the site has no such pepper any more."""
    pepper = settings.TOKEN_PEPPERS[pepper_id]
    return hmac.digest(pepper.encode(), secret.encode(errors="replace"), "sha256")


def matches(secret: str, pepper_id: str, kept: bytes) -> bool:
    """Whether the secret is the one of the digest, in a time that does not depend on where not."""
    if pepper_id not in settings.TOKEN_PEPPERS:
        return False
    return hmac.compare_digest(digest(secret, pepper_id), kept)


def peppers_from(named: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """{id: pepper}, the newest first: as named ("id:value"), or made of the site's secret keys.

    Raises ValueError with the item that is none.
    """
    found = dict(_named(each) for each in named)
    if found:
        return found
    return {_tagged(key, "id")[:ID_LENGTH]: _tagged(key, "pepper") for key in keys}


def _named(item: str) -> tuple[str, str]:
    name, __, value = item.partition(":")
    if not name.isalnum() or len(name) > ID_LENGTH or len(value) < 32:
        raise ValueError(name)
    return name, value


def _tagged(key: str, purpose: str) -> str:
    return hmac.digest(key.encode(), f"remit.token.{purpose}".encode(), "sha256").hex()
