"""Every way in which signing in at a provider can fail, and what each is called."""

from enum import StrEnum


class Failure(StrEnum):
    """The code that people read out to their operators; never changes its meaning."""

    CANCELLED = "cancelled"
    STATE = "state_mismatch"
    REFUSED = "refused_by_provider"
    UNREACHABLE = "provider_unreachable"
    CONFIGURATION = "client_refused"
    CODE = "code_refused"
    EXPIRED = "token_expired"
    CLOCK = "clocks_differ"
    NONCE = "wrong_nonce"
    AUDIENCE = "wrong_audience"
    ISSUER = "wrong_issuer"
    SIGNATURE = "wrong_signature"
    TOKEN = "token_invalid"  # noqa: S105 - a code of an error
    SUBJECT = "no_subject"
    CLOSED = "account_closed"


class Failed(Exception):
    """Nobody is signed in. `detail` is for the log: of it nothing is a secret or a name."""

    def __init__(self, failure: Failure, detail: str = "") -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure = failure
        self.detail = detail
