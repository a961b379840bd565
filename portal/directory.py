"""Which directory says who is at the site? Read from the environment; workers alone ask it."""

from pathlib import Path
from typing import Any

from portal.lib import env

DIRECTORY_URL = env.url("DIRECTORY_URL", schemes=("ldap", "ldaps"))
DIRECTORY_START_TLS = env.boolean("DIRECTORY_START_TLS", default=False)
# What people and groups of the directory are known by beside their ids: the provider at which
# they sign in, so that both speak of the same rows.
DIRECTORY_ISSUER = env.text("DIRECTORY_ISSUER") or env.text("OIDC_ISSUER") or "directory"
# How often it is read.
DIRECTORY_SECONDS = env.seconds("DIRECTORY_SECONDS", 3_600, low=60, high=86_400)
# Somebody has left, and a group is gone, once so many whole readings in a row say so.
DIRECTORY_READS = env.integer("DIRECTORY_READS", 3, low=1, high=100)
# More than this share of all people, of all groups or of a group's members does not go at once.
DIRECTORY_SHRINK_PERCENT = env.integer("DIRECTORY_SHRINK_PERCENT", 10, low=0, high=100)
# So few may always go.
DIRECTORY_SHRINK_LEAST = env.integer("DIRECTORY_SHRINK_LEAST", 5, low=0, high=1000)


# "none": it says nothing of them.
_supervisor = env.text("DIRECTORY_SUPERVISOR", "manager")


def _password() -> str:
    name = env.text("DIRECTORY_PASSWORD_FILE")
    if not name:
        return env.text("DIRECTORY_PASSWORD")
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise env.Refused([f"DIRECTORY_PASSWORD_FILE cannot be read: {error}."]) from None


def _directory() -> dict[str, Any] | None:
    """The arguments of LdapConfig; None: there is no directory."""
    if not DIRECTORY_URL:
        return None
    found: dict[str, Any] = {
        "url": DIRECTORY_URL,
        "people_base": env.text("DIRECTORY_PEOPLE_BASE"),
        "groups_base": env.text("DIRECTORY_GROUPS_BASE"),
        "bind_dn": env.text("DIRECTORY_BIND_DN"),
        "password": _password(),
        "start_tls": DIRECTORY_START_TLS,
        "ca_file": env.text("DIRECTORY_CA_FILE"),
        "people_filter": env.text("DIRECTORY_PEOPLE_FILTER", "(objectClass=inetOrgPerson)"),
        "groups_filter": env.text("DIRECTORY_GROUPS_FILTER", "(objectClass=groupOfNames)"),
        "subject": env.text("DIRECTORY_SUBJECT", "uid"),
        "name": env.text("DIRECTORY_NAME", "cn"),
        "mail": env.text("DIRECTORY_MAIL", "mail"),
        "supervisor": "" if _supervisor == "none" else _supervisor,
        "group_id": env.text("DIRECTORY_GROUP_ID", "cn"),
        "group_name": env.text("DIRECTORY_GROUP_NAME", "cn"),
        "members_by": env.text("DIRECTORY_MEMBERS_BY", "memberOf"),
        "page_size": env.integer("DIRECTORY_PAGE_SIZE", 500, low=10, high=5_000),
        "timeout": env.seconds("DIRECTORY_TIMEOUT_SECONDS", 30, low=1, high=300),
        "ignore_referrals": env.boolean("DIRECTORY_IGNORE_REFERRALS", default=False),
    }
    sentences = []
    if not found["people_base"]:
        sentences.append("DIRECTORY_PEOPLE_BASE is not set beside DIRECTORY_URL: write its DN.")
    if found["bind_dn"] and not found["password"]:
        sentences.append("DIRECTORY_BIND_DN has no password: set DIRECTORY_PASSWORD_FILE.")
    if found["start_tls"] and DIRECTORY_URL.startswith("ldaps:"):
        sentences.append("DIRECTORY_START_TLS is for ldap:// alone: ldaps:// is encrypted already.")
    if sentences:
        raise env.Refused(sentences)
    return found


DIRECTORY = _directory()
# Without a base for groups people alone are read; groups are then what sign-in says.
DIRECTORY_HAS_GROUPS = bool(DIRECTORY and DIRECTORY["groups_base"])
