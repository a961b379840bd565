"""Which ID tokens hold: the cases that a real provider does not make by itself."""

import base64
import hmac
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from portal.lib.openid.failures import Failed
from portal.lib.openid.tokens import UnknownKey, claims_of

ISSUER, CLIENT = "https://sso.example", "remit"
SECRET = "a-secret-that-both-sides-know-of-each-other"
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
PUBLISHED = {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}


def token(key: Any = RSA, alg: str = "RS256", kid: str = "rsa", **claims: Any) -> str:
    now = int(time.time())
    said = {
        "iss": ISSUER, "sub": "alice", "aud": CLIENT, "nonce": "once", "iat": now, "exp": now + 60,
    }  # fmt: skip
    held = {name: value for name, value in (said | claims).items() if value is not None}
    return jwt.encode({"alg": alg, "kid": kid}, held, key)


def read(id_token: str, keys: Any = PUBLISHED, leeway: int = 60) -> dict[str, Any]:
    return claims_of(
        id_token, keys, issuer=ISSUER, client_id=CLIENT, nonce="once", access_token="access",
        leeway=leeway,
    )  # fmt: skip


def code_of(id_token: str, keys: Any = PUBLISHED) -> str:
    with pytest.raises(Failed) as failed:
        read(id_token, keys)
    return str(failed.value.failure)


def test_tokens_are_signed_by_any_of_the_published_keys() -> None:
    assert read(token())["sub"] == "alice"
    assert read(token(EC, "ES256", "ec"))["sub"] == "alice"


def test_keys_that_nobody_here_reads_are_passed_over() -> None:
    strange = [{"kty": "AKP", "alg": "ML-DSA-65", "pub": "x"}, {"kty": "RSA", "use": "enc"}]
    assert read(token(), {"keys": [*strange, *PUBLISHED["keys"]]})["sub"] == "alice"


def test_a_key_that_is_not_published_is_asked_for_once_more() -> None:
    with pytest.raises(UnknownKey):
        read(token(kid="another"))


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": ["rsa"]}, {"keys": None}])
def test_a_set_of_keys_that_is_none_opens_nothing(keys: Any) -> None:
    with pytest.raises((Failed, UnknownKey)):
        read(token(), keys)


def test_a_secret_that_both_know_signs_nothing() -> None:
    assert code_of(token(OctKey.import_key(SECRET), "HS256")) == "wrong_signature"


def test_a_public_key_is_not_taken_for_a_secret() -> None:
    head, body, _signature = token().split(".")
    head = in_base64(b'{"alg":"HS256","kid":"rsa"}')
    mac = hmac.new(RSA.as_pem(private=False), f"{head}.{body}".encode(), "sha256").digest()
    assert code_of(f"{head}.{body}.{in_base64(mac)}") == "wrong_signature"


def in_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize("id_token", ["", "x", "a.b.c", "a.b.c.d.e"])
def test_what_is_no_token_is_refused(id_token: str) -> None:
    assert code_of(id_token) == "wrong_signature"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": ["another", "other"], "azp": CLIENT}, "wrong_audience"),
        ({"aud": [CLIENT, "another"]}, "wrong_audience"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "wrong_audience"),
        ({"aud": None}, "token_invalid"),
        ({"azp": "another"}, "wrong_audience"),
        ({"iss": f"{ISSUER}/"}, "wrong_issuer"),
        ({"iss": None}, "token_invalid"),
        ({"nonce": None}, "wrong_nonce"),
        ({"nonce": ""}, "wrong_nonce"),
        ({"exp": None}, "token_invalid"),
        ({"exp": "tomorrow"}, "token_expired"),
        ({"exp": 1}, "token_expired"),
        ({"iat": 9_999_999_999}, "clocks_differ"),
        ({"nbf": 9_999_999_999}, "clocks_differ"),
        ({"at_hash": "of-another-token"}, "token_invalid"),
        ({"sub": 7}, "no_subject"),
    ],
)
def test_a_claim_that_does_not_hold_has_its_code(claims: dict[str, Any], code: str) -> None:
    assert code_of(token(**claims)) == code


def test_a_token_for_several_that_names_us_as_its_party_holds() -> None:
    assert read(token(aud=[CLIENT, "another"], azp=CLIENT))["azp"] == CLIENT


def test_clocks_may_differ_by_as_much_as_is_set() -> None:
    now = int(time.time())
    late = token(iat=now - 300, exp=now - 30)
    assert read(late, leeway=60)["sub"] == "alice"
    with pytest.raises(Failed):
        read(late, leeway=10)
