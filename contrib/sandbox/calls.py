"""A call to one of the services and its answer, as the services' code sees them."""

import json
from dataclasses import dataclass, field
from typing import Any

from contrib.sandbox.state import Cloud, Token


@dataclass
class Call:
    """`path` is what follows the service's own prefix; `base` is the URL of that prefix as the
    caller wrote it, `root` the server's own."""

    method: str
    service: str
    region: str | None
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw_body: bytes
    base: str
    root: str
    cloud: Cloud
    ignores_writes: bool = False

    @property
    def token(self) -> Token | None:
        return self.cloud.tokens.get(self.headers.get("x-auth-token", ""))

    @property
    def body(self) -> Any:
        """The JSON of the body; None where there is none."""
        if not self.raw_body:
            return None
        try:
            return json.loads(self.raw_body)
        except ValueError:
            raise Refusal(400, "Malformed request body") from None


@dataclass
class Answer:
    """`body` is JSON, unless it is text or bytes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, str]:
        """The bytes and their content type."""
        if self.body is None:
            return b"", "application/json"
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode(), "text/plain; charset=UTF-8"
        return json.dumps(self.body).encode(), "application/json"


class Refusal(Exception):
    """Becomes an answer in the envelope of the service that refused."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}


# The names that Nova and Cinder give to statuses.
_FAULTS = {
    400: "badRequest",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


def enveloped(service: str, refusal: Refusal) -> Answer:
    """The refusal as its service words it; a 401 comes from the token check before them all."""
    status = refusal.status
    content: dict[str, Any] = {"code": status, "message": refusal.message}
    if service == "identity" or (status == 401 and service != "storage"):
        content["title"] = _TITLES.get(status, "Error")
        return Answer(status, {"error": content}, refusal.headers)
    if service == "storage":
        code = {"Code": refusal.message, "Message": "", "RequestId": "tx0", "HostId": "0-default"}
        return Answer(status, code, refusal.headers)
    if service == "network":
        content = {"type": "HTTPBadRequest", "message": refusal.message, "detail": ""}
        return Answer(status, {"NeutronError": content}, refusal.headers)
    if service == "balancer":
        side = "Client" if status < 500 else "Server"
        content = {"faultcode": side, "faultstring": refusal.message, "debuginfo": None}
        return Answer(status, content, refusal.headers)
    return Answer(status, {_FAULTS.get(status, "computeFault"): content}, refusal.headers)


NOT_FOUND = "404 Not Found\n\nThe resource could not be found.\n\n   "
UNAUTHORIZED = "The request you have made requires authentication."


def signed_in(call: Call) -> Token:
    """The caller's token, or a 401."""
    token = call.token
    if token is None:
        raise Refusal(401, UNAUTHORIZED)
    return token
