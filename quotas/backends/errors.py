"""The one error that drivers raise: what kind it is, and the service's own words.

The kind says who moves next. *transient*: the service was there and may do better next
time. *refused*: it understood, or was never asked, and somebody must act first.
*unreachable*: no answer began, so others at the same endpoint will fare no better.
"""

import json
import re
from enum import StrEnum
from typing import Any

WORDS_MAX = 500


class Kind(StrEnum):
    TRANSIENT = "transient"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class BackendError(Exception):
    """A call that failed, sorted.

    `code` is for programs, from the table below; `words` are the service's, scrubbed and
    capped, for operators. `retry_after` is in seconds, where the service asked for it.
    `uncertain` is true for a write that may have happened: read before the next one.

    transient    rate_limited, unavailable, server_error, conflict, version, broken_answer
    refused      project_gone, name_taken, tag_twice, list_truncated, bad_name, holder_gone,
                 not_held, unknown_role, below_usage, above_maximum, unknown_key, not_private,
                 bad_request, forbidden, credentials, not_found, no_endpoint, configuration,
                 unexpected
    unreachable  no_connection, tls, timeout, dropped
    """

    def __init__(
        self,
        kind: Kind,
        code: str,
        words: str,
        *,
        retry_after: int | None = None,
        http_status: int | None = None,
        uncertain: bool = False,
    ) -> None:
        self.kind = kind
        self.code = code
        self.words = scrub(words)
        self.retry_after = retry_after
        self.http_status = http_status
        self.uncertain = uncertain
        super().__init__(f"{kind}/{code}: {self.words}")


def broken(words: str, status: int | None = None, *, uncertain: bool = False) -> BackendError:
    """An answer that is not what the service's API says, shown by how it begins."""
    return BackendError(
        Kind.TRANSIENT,
        "broken_answer",
        f"not the answer of this API: {words_of(words)[:200]}",
        http_status=status,
        uncertain=uncertain,
    )


def words_of(body: str) -> str:
    """The sentence inside an answer, whichever envelope the service puts it in.

    Known envelopes: {"badRequest": {"message"}} and its siblings, {"error": {"message"}},
    {"NeutronError": {"message"}}, {"faultstring"}, {"message"}, web pages, plain text.
    """
    try:
        found = _message_in(json.loads(body))
    except (ValueError, RecursionError):
        found = None
    return found if found is not None else _plain(body)


def _message_in(value: Any, depth: int = 2) -> str | None:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return None
    for key in ("message", "faultstring", "detail", "title"):
        if isinstance(value.get(key), str) and value[key].strip():
            return str(value[key])
    if depth:
        for inner in value.values():
            if isinstance(inner, dict) and (found := _message_in(inner, depth - 1)) is not None:
                return found
    return None


_TAGS = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def _plain(body: str) -> str:
    return _TAGS.sub(" ", body[:8000])


# Controls, and what turns or hides text: bidirectional marks, zero widths, surrogates.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]+"
)
_SECRETS = (
    # Fernet and JWS tokens, wherever they stand.
    (re.compile(r"\bgAAAAA[\w=-]{16,}|\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "[token]"),
    (re.compile(r"(?i)\bbearer\s+[\w.~+/=-]{8,}"), "Bearer [token]"),
    # name=value, name: value and "name": "value" for names that end in one of these.
    (
        re.compile(
            r"(?i)((?:password|passwd|secret|auth-?token|subject-?token|api-?key|adminpass)"
            r"[\"']?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s\"',;&}]+)"
        ),
        r"\1[secret]",
    ),
    # https://user:password@host
    (re.compile(r"(://)[^\s/@:]*:[^\s/@]*@"), r"\1[secret]@"),
)


def scrub(text: str) -> str:
    """Without secrets and unprintable characters, in one line of at most 500 characters."""
    # Cut early, so that a huge page costs little; the room above the cap is for what goes.
    text = " ".join(_UNPRINTABLE.sub(" ", text[: 20 * WORDS_MAX]).split())[: 4 * WORDS_MAX]
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text if len(text) <= WORDS_MAX else text[: WORDS_MAX - 1] + "…"
