"""Which settings are unsafe in production, and what to do about each?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

SHORTEST_SECRET_KEY = 50
FEWEST_DIFFERENT_CHARACTERS = 10


@dataclass(frozen=True, kw_only=True)
class Production:
    """What the settings found in the environment; REMIT_ENV is production."""

    debug: bool
    secret_key: str
    allowed_hosts: Sequence[str]
    csrf_trusted_origins: Sequence[str]
    has_database_url: bool
    has_broker_url: bool
    secure_cookies: bool
    sandbox: bool
    sandbox_told_so: bool
    local_accounts: bool
    local_accounts_told_so: bool
    plain_directory: bool


def refusals(found: Production) -> Iterator[str]:
    """One sentence for each thing that must not be so; none: it may start."""
    if found.debug:
        yield "DEBUG is on: it shows settings and data to strangers; leave it off in production."
    yield from _secret_key(found.secret_key)
    if not found.allowed_hosts:
        yield "ALLOWED_HOSTS is empty: name the hosts people reach Remit by, with commas between."
    if any("*" in host for host in found.allowed_hosts):
        yield "ALLOWED_HOSTS holds *: name the hosts, so that forged ones are turned away."
    for origin in found.csrf_trusted_origins:
        if urlsplit(origin).scheme != "https" or "*" in origin:
            yield (
                f"CSRF_TRUSTED_ORIGINS holds {origin!r}: write each origin in full, "
                "beginning with https://."
            )
    if not found.has_database_url:
        yield "DATABASE_URL is not set: the embedded database is for trying out, not production."
    if not found.has_broker_url:
        yield "BROKER_URL is not set: the embedded broker is for trying out, not production."
    if not found.secure_cookies:
        yield "SECURE_COOKIES is off: sessions would travel in the clear; leave it on."
    if found.sandbox and not found.sandbox_told_so:
        yield (
            "SANDBOX is on beside an external DATABASE_URL: a made-up cloud would be shown as "
            "real; turn it off, or set REMIT_SANDBOX=allow if that is the wish."
        )
    if found.local_accounts and not found.local_accounts_told_so:
        yield (
            "LOCAL_ACCOUNTS is on: passwords kept here pass by your identity provider; turn it "
            "off, or set LOCAL_ACCOUNTS_IN_PRODUCTION=on if that is the wish."
        )
    if found.plain_directory:
        yield (
            "DIRECTORY_URL is ldap:// without DIRECTORY_START_TLS: whoever is on the way could say "
            "who is in which group; turn it on, or write ldaps://."
        )


def _secret_key(key: str) -> Iterator[str]:
    make = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(50))".'
    if not key:
        yield f"SECRET_KEY is not set: {make}"
    elif (
        len(key) < SHORTEST_SECRET_KEY
        or len(set(key)) < FEWEST_DIFFERENT_CHARACTERS
        or key.startswith("django-insecure-")
    ):
        yield f"SECRET_KEY is weak: {make}"
