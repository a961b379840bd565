"""One OpenID provider: where to send people, what their return says, how to sign out there.

Built on Authlib's OAuth 2 session. Every call has a time limit; the provider's own metadata
and keys are kept for an hour.
"""

import logging
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from requests import RequestException

from .failures import Failed, Failure
from .registration import Registration
from .tokens import UnknownKey, claims_of

logger = logging.getLogger(__name__)

WELL_KNOWN = "/.well-known/openid-configuration"
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
KEPT_SECONDS = 3_600.0
# An ID token names its holder at sign-out; a longer one does not fit into an address.
MOST_HINT = 3_000
BY_ERROR = {
    "access_denied": Failure.CANCELLED,
    "server_error": Failure.UNREACHABLE,
    "temporarily_unavailable": Failure.UNREACHABLE,
    "invalid_client": Failure.CONFIGURATION,
    "unauthorized_client": Failure.CONFIGURATION,
    "invalid_grant": Failure.CODE,
}


@dataclass(frozen=True)
class Begun:
    """What is kept of a sign-in while the person is away; as_dict() goes into a session."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str
    at: float

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON; `Begun(**kept)` is the way back."""
        return asdict(self)


@dataclass(frozen=True)
class Answer:
    """Verified claims, and the token that says so, where the provider can use it again."""

    claims: dict[str, Any]
    id_token: str = field(repr=False)


class Provider:
    """A provider as it announces itself."""

    # What was read of each issuer, and when; shared by the threads of a process.
    _kept: ClassVar[dict[tuple[str, str], tuple[float, dict[str, Any]]]] = {}
    _asking: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, registration: Registration) -> None:
        self.registration = registration

    @classmethod
    def forget(cls) -> None:
        """Read metadata and keys anew at the next call."""
        cls._kept.clear()

    def begin(self, redirect_uri: str, *, language: str) -> tuple[str, Begun]:
        """Where to send somebody who wants to sign in, and what to keep until they return.

        language: of the person, for pages of the provider that know it.
        Asks the provider, so that nobody is sent where nobody answers; but not while somebody
        else asks, so that one which hangs keeps one thread and not the site. Raises Failed.
        """
        is_first = self._asking.acquire(blocking=False)
        try:
            metadata = self._metadata(is_fresh=is_first)
        finally:
            if is_first:
                self._asking.release()
        begun = Begun(
            state=generate_token(32),
            nonce=generate_token(32),
            verifier=generate_token(64),
            redirect_uri=redirect_uri,
            at=time.time(),
        )
        with self._session(metadata) as session:
            url, _state = session.create_authorization_url(
                metadata["authorization_endpoint"],
                state=begun.state,
                nonce=begun.nonce,
                code_verifier=begun.verifier,
                redirect_uri=redirect_uri,
                response_type="code",
                ui_locales=language,
            )
        return url, begun

    def finish(self, params: Mapping[str, str], begun: Begun, *, wanted: Collection[str]) -> Answer:
        """Who returned, by the parameters of their return. Raises Failed.

        wanted: claims that are asked of the provider once more where the token lacks them.
        """
        metadata = self._metadata()
        self._check_return(params, begun, metadata)
        with self._session(metadata) as session:
            token = self._redeem(session, metadata, params["code"], begun)
            claims = self._verify(metadata, token, begun)
            if any(each not in claims for each in wanted) and "userinfo_endpoint" in metadata:
                # What is signed stands; userinfo fills in what is missing.
                claims = self._userinfo(session, metadata, claims["sub"]) | claims
        is_of_use = "end_session_endpoint" in metadata and len(token["id_token"]) <= MOST_HINT
        return Answer(claims, token["id_token"] if is_of_use else "")

    def end_url(self, *, id_token: str, return_to: str) -> str:
        """Where somebody signs out of the provider too; "" where it knows no such place."""
        try:
            endpoint = self._metadata().get("end_session_endpoint", "")
        except Failed:
            return ""
        if not _is_address(endpoint):
            return ""
        query = {
            "client_id": self.registration.client_id,
            "post_logout_redirect_uri": return_to,
        }
        if id_token:
            query["id_token_hint"] = id_token
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    def _check_return(
        self, params: Mapping[str, str], begun: Begun, metadata: Mapping[str, Any]
    ) -> None:
        """Whether the return is the answer to what was begun, and says yes."""
        if params.get("state") != begun.state:
            raise Failed(Failure.STATE, "another state")
        # RFC 9207: which provider answers; one that says so always must say so here.
        says_so = metadata.get("authorization_response_iss_parameter_supported") is True
        said = params.get("iss")
        if (said or says_so) and said != self.registration.issuer:
            raise Failed(Failure.ISSUER, "iss of the return")
        if error := params.get("error", ""):
            raise Failed(BY_ERROR.get(error, Failure.REFUSED), _word(error))
        if not params.get("code"):
            raise Failed(Failure.REFUSED, "neither a code nor an error")

    def _redeem(
        self, session: OAuth2Session, metadata: Mapping[str, Any], code: str, begun: Begun
    ) -> dict[str, Any]:
        try:
            token = session.fetch_token(
                metadata["token_endpoint"],
                grant_type="authorization_code",
                code=code,
                redirect_uri=begun.redirect_uri,
                code_verifier=begun.verifier,
                # Our secret goes to this address and to no other.
                allow_redirects=False,
            )
        except OAuthError as error:
            raise Failed(BY_ERROR.get(error.error, Failure.REFUSED), _word(error.error)) from error
        except (RequestException, ValueError) as error:
            raise Failed(Failure.UNREACHABLE, f"token endpoint: {type(error).__name__}") from error
        if not isinstance(token.get("id_token"), str):
            raise Failed(Failure.TOKEN, "no id_token")
        return dict(token)

    def _verify(
        self, metadata: Mapping[str, Any], token: Mapping[str, Any], begun: Begun
    ) -> dict[str, Any]:
        """The token's claims; keys are read anew once where the token names an unknown one."""
        for is_fresh in (False, True):
            keys = self._read("keys", metadata["jwks_uri"], is_fresh=is_fresh)
            try:
                return claims_of(
                    token["id_token"],
                    keys,
                    issuer=self.registration.issuer,
                    client_id=self.registration.client_id,
                    nonce=begun.nonce,
                    access_token=str(token.get("access_token", "")),
                    leeway=self.registration.leeway,
                )
            except UnknownKey:
                continue
        raise Failed(Failure.SIGNATURE, "a key that the provider does not publish")

    def _userinfo(
        self, session: OAuth2Session, metadata: Mapping[str, Any], subject: str
    ) -> dict[str, Any]:
        try:
            answer = session.get(metadata["userinfo_endpoint"], allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (RequestException, OAuthError, ValueError) as error:
            raise Failed(Failure.UNREACHABLE, f"userinfo: {type(error).__name__}") from error
        # Else it may be about somebody else: a token that was put in place of theirs.
        if not isinstance(found, dict) or found.get("sub") != subject:
            raise Failed(Failure.TOKEN, "userinfo is about another subject")
        return found

    def _metadata(self, *, is_fresh: bool = False) -> dict[str, Any]:
        """What the provider announces. Raises Failed where it is not the one we know."""
        url = self.registration.issuer.rstrip("/") + WELL_KNOWN
        found = self._read("metadata", url, is_fresh=is_fresh)
        if found.get("issuer") != self.registration.issuer:
            self._kept.pop((self.registration.issuer, "metadata"), None)
            raise Failed(Failure.ISSUER, "issuer of the metadata")
        if not all(_is_address(found.get(each)) for each in NEEDED):
            raise Failed(Failure.UNREACHABLE, "metadata lacks an endpoint")
        return found

    def _read(self, what: str, url: str, *, is_fresh: bool = False) -> dict[str, Any]:
        """A JSON object of the provider, kept for an hour.

        Somebody on their way back is served with an older one where it does not answer.
        """
        key = (self.registration.issuer, what)
        read_at, known = self._kept.get(key, (0.0, {}))
        if known and not is_fresh and time.monotonic() - read_at < KEPT_SECONDS:
            return known
        try:
            with OAuth2Session(default_timeout=self.registration.timeout) as session:
                answer = session.get(url, withhold_token=True)
            answer.raise_for_status()
            found = answer.json()
        except (RequestException, ValueError) as error:
            if known and not is_fresh:
                logger.warning("the provider's %s could not be read; the old one goes on", what)
                return known
            raise Failed(Failure.UNREACHABLE, f"{what}: {type(error).__name__}") from error
        if not isinstance(found, dict):
            raise Failed(Failure.UNREACHABLE, f"{what}: not an object")
        self._kept[key] = (time.monotonic(), found)
        return found

    def _session(self, metadata: Mapping[str, Any]) -> OAuth2Session:
        us = self.registration
        return OAuth2Session(
            us.client_id,
            us.client_secret or None,
            scope=" ".join(us.scopes),
            code_challenge_method="S256",
            token_endpoint_auth_method=_way_to_say_who_we_are(us, metadata),
            default_timeout=us.timeout,
            # It is used at once, and some providers' tokens last for a minute only.
            leeway=0,
        )


def _way_to_say_who_we_are(us: Registration, metadata: Mapping[str, Any]) -> str:
    """The secret in the header, or in the body for providers that take it only there."""
    if not us.client_secret:
        return "none"
    taken = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    is_body_only = "client_secret_basic" not in taken and "client_secret_post" in taken
    return "client_secret_post" if is_body_only else "client_secret_basic"


def _is_address(value: Any) -> bool:
    """Whether somebody may be sent there: one that no header and no link breaks at."""
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    return urlsplit(value).scheme in ("https", "http")


def _word(text: object) -> str:
    """A provider's error code for the log: short and of one line."""
    return "".join(sign for sign in str(text)[:60] if sign.isprintable())
