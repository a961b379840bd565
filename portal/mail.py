"""Mail, from the environment: by which server, in whose name, how often, and links to where.

Without EMAIL_HOST no mail is sent; with MAIL_FOLDER alone each is written there as a file.
"""

from email.headerregistry import Address
from email.utils import parseaddr
from urllib.parse import urlsplit

from portal.lib import env

# Django's own names.
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_USE_SSL = env.boolean("EMAIL_USE_SSL", default=False)
EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", default=False)
EMAIL_PORT = env.integer(
    "EMAIL_PORT", 465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25, low=1, high=65_535
)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
# For those who send alone, as the credentials of clouds are.
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
# For each step of a conversation with the server, but the last.
EMAIL_TIMEOUT = env.seconds("EMAIL_TIMEOUT", 20, low=0.2, high=300)
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "remit@localhost")

# Where answers go that people write all the same; none: to the sender.
MAIL_REPLY_TO = env.text("MAIL_REPLY_TO")
# For `make run`: letters are files here, and nobody gets any.
MAIL_FOLDER = env.text("MAIL_FOLDER")
# What happens to one thing within so long stands in one letter; what waits for its reader does
# not wait here.
MAIL_GATHER_SECONDS = env.seconds("MAIL_GATHER_SECONDS", 120, low=0, high=3_600)
# Of the reader's own day, unless they choose another.
MAIL_DIGEST_HOUR = env.integer("MAIL_DIGEST_HOUR", 8, low=0, high=23)
# Conversations with the server at once, all workers together.
MAIL_CONNECTIONS = env.integer("MAIL_CONNECTIONS", 2, low=1, high=50)
# How long the server may think about a whole letter. What it says after that is lost, and the
# letter is one that was perhaps sent; so rather long.
MAIL_ANSWER_SECONDS = env.seconds("MAIL_ANSWER_SECONDS", 120, low=0.2, high=900)
MAIL_GIVE_UP_DAYS = env.integer("MAIL_GIVE_UP_DAYS", 5, low=1, high=30)
MAIL_LOG_DAYS = env.integer("MAIL_LOG_DAYS", 90, low=1, high=3_650)

# Where people reach the site, for links in what is read elsewhere.
SITE_URL = env.url("SITE_URL", schemes=("https", "http")).rstrip("/")


def _refusals() -> list[str]:
    found = []
    for name, value in (
        ("DEFAULT_FROM_EMAIL", DEFAULT_FROM_EMAIL),
        ("MAIL_REPLY_TO", MAIL_REPLY_TO),
    ):
        if value and not _is_address(value):
            found.append(
                f"{name} is {value!r}: write remit@example.org, or Remit <remit@example.org>."
            )
    if EMAIL_USE_SSL and EMAIL_USE_TLS:
        found.append("EMAIL_USE_SSL and EMAIL_USE_TLS are both on: choose one.")
    if EMAIL_HOST and not SITE_URL:
        found.append("EMAIL_HOST is set and SITE_URL is not: write https://remit.example.org.")
    if EMAIL_HOST and DEFAULT_FROM_EMAIL == "remit@localhost":
        found.append("EMAIL_HOST is set and DEFAULT_FROM_EMAIL is not: say who mail is from.")
    if SITE_URL and (urlsplit(SITE_URL).query or urlsplit(SITE_URL).fragment):
        found.append("SITE_URL has a query or a fragment: write https://remit.example.org.")
    return found


def _is_address(text: str) -> bool:
    try:
        return bool(Address(addr_spec=parseaddr(text)[1]).domain)
    except (ValueError, IndexError):
        return False


if _sentences := _refusals():
    raise env.Refused(_sentences)
if not SITE_URL:
    SITE_URL = f"http://127.0.0.1:{env.integer('PORT', 8000, low=1, high=65_535)}"
