"""From a PostgreSQL URL to Django's DATABASES entry, and back for other programs."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from portal.lib.env import Refused

SCHEMES = ("postgresql", "postgres")


def parse_database_url(value: str, *, name: str = "DATABASE_URL") -> dict[str, Any]:
    """NAME, USER, PASSWORD, HOST, PORT and OPTIONS of `postgresql://user:pass@host:port/db?…`.

    `?host=/folder` names a socket's folder, as libpq has it; every other parameter goes to
    OPTIONS as it is (sslmode, sslrootcert, target_session_attrs). Raises Refused.
    """
    parts = urlsplit(value)
    database = unquote(parts.path.lstrip("/"))
    if not database or "/" in database:
        raise Refused([f"{name} names no database: write postgresql://user@host/database."])
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": str(parts.port or options.pop("port", "")),
        "OPTIONS": options,
    }
