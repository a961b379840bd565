"""The words of a service: found in its envelope, scrubbed, capped."""

import pytest

from quotas.backends.errors import WORDS_MAX, BackendError, Kind, scrub, words_of

ENVELOPES = [
    ('{"badRequest": {"code": 400, "message": "Bad key(s)"}}', "Bad key(s)"),
    ('{"computeFault": {"code": 500, "message": "Unexpected"}}', "Unexpected"),
    ('{"error": {"code": 401, "message": "No.", "title": "Unauthorized"}}', "No."),
    ('{"NeutronError": {"type": "X", "message": "Quota", "detail": ""}}', "Quota"),
    ('{"faultcode": "Client", "faultstring": "Validation", "debuginfo": null}', "Validation"),
    ('{"message": "flat"}', "flat"),
    ('{"code": 404, "title": "Not Found"}', "Not Found"),
    ('"just text"', "just text"),
    (
        "404 Not Found\n\nThe resource could not be found.\n\n   ",
        "404 Not Found The resource could not be found.",
    ),
    (
        "<html><head><title>t</title></head><body><h1>502</h1>Bad Gateway</body></html>",
        "502 Bad Gateway",
    ),
    ('{"nothing": {"to": ["say"]}}', '{"nothing": {"to": ["say"]}}'),
    ('{"message": "half of', '{"message": "half of'),
    ("", ""),
]


@pytest.mark.parametrize(("body", "words"), ENVELOPES)
def test_words_of_every_envelope(body: str, words: str) -> None:
    assert scrub(words_of(body)) == words


SECRETS = [
    "token gAAAAABrAN6O39xNvZ-rGX5v6LxYW9_GjTEchQaJaOYLnhvapENCN5eTrGnBhiAleisDb refused",
    "Authorization: Bearer hunter2hunter2",
    "X-Auth-Token: hunter2",
    "x-subject-token=hunter2",
    '{"password": "hunter2"}',
    '{"password": "correct hunter2 battery"}',
    "connecting to mysql+pymysql://nova:hunter2@db/nova failed",
    "adminPass='hunter2', next",
    "OS_PASSWORD=hunter2",
    "eyJhbGciOiJFUzI1NiIsImtpZCI6.eyJzdWIiOiJodW50ZXIyIn0.hunter2hunter2",
]


@pytest.mark.parametrize("text", SECRETS)
def test_scrub_takes_secrets_away(text: str) -> None:
    assert "hunter2" not in scrub(text)
    assert "gAAAA" not in scrub(text)
    assert "[token]" in scrub(text) or "[secret]" in scrub(text)


def test_scrub_leaves_plain_words() -> None:
    words = "Quota limit 2 for cores must be greater than or equal to already used 3: see /v2.1"
    assert scrub(words) == words


def test_scrub_takes_controls_and_marks_that_turn_text() -> None:
    assert scrub("a\x00b\x1b[31mc\u202ed\u200be\r\nf\ud800g") == "a b [31mc d e f g"


def test_scrub_caps_at_the_limit() -> None:
    assert scrub("x" * WORDS_MAX) == "x" * WORDS_MAX
    assert scrub("x" * (WORDS_MAX + 1)) == "x" * (WORDS_MAX - 1) + "…"
    assert len(scrub("x" * 10_000_000)) == WORDS_MAX


def test_an_error_holds_scrubbed_words() -> None:
    error = BackendError(Kind.REFUSED, "forbidden", "password=hunter2\nno")
    assert error.words == "password=[secret] no"
    assert str(error) == "refused/forbidden: password=[secret] no"
