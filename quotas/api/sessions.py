"""Who calls: the session of the pages, with its CSRF token."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request


class Session(SessionAuthentication):
    """Django's session. Without one the answer is 401; the framework would say 403."""

    def authenticate_header(self, request: Request) -> str:
        return 'Session realm="remit"'


class SessionScheme(OpenApiAuthenticationExtension):
    """How the document tells of it; found by being imported."""

    target_class = Session
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "session",
            "description": "The cookie of a signed-in person. Whatever changes something also "
            "sends the page's CSRF token as X-CSRFToken. With secure cookies the name is "
            "__Host-session.",
        }
