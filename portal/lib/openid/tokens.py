"""Is an ID token the provider's own, for us, of this sign-in, and in force?

Signature and claims are judged by joserfc and Authlib; here is said what we demand of them,
and what each refusal is called.
"""

from collections.abc import Mapping
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import (
    ClaimError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
)
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from .failures import Failed, Failure

# Signed with the provider's private key. Never `none`, nor a secret that we hold too.
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA", "Ed25519",
)  # fmt: skip
# Kinds of keys that go with these.
KINDS = ("RSA", "EC", "OKP")
BY_CLAIM = {
    "nonce": Failure.NONCE,
    "aud": Failure.AUDIENCE,
    "azp": Failure.AUDIENCE,
    "iss": Failure.ISSUER,
    "exp": Failure.EXPIRED,
    "iat": Failure.CLOCK,
    "nbf": Failure.CLOCK,
    "sub": Failure.SUBJECT,
}


class UnknownKey(Exception):
    """The token names a key that is not among these: the provider may have changed them."""


def claims_of(
    id_token: str,
    keys: Mapping[str, Any],
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str,
    leeway: int,
) -> dict[str, Any]:
    """The claims of an ID token that holds. leeway: seconds by which clocks may differ.

    keys: a JWK set. Raises UnknownKey, or Failed with what is wrong.
    """
    registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
    try:
        token = jwt.decode(id_token, _key_set(keys), registry=registry)
    except InvalidKeyIdError as error:
        raise UnknownKey from error
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Failed(Failure.SIGNATURE, type(error).__name__) from error
    claims = CodeIDToken(
        token.claims,
        token.header,
        {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client_id},
        },
        {"nonce": nonce, "client_id": client_id, "access_token": access_token},
    )
    try:
        claims.validate(leeway=leeway)
    except ExpiredTokenError as error:
        raise Failed(Failure.EXPIRED, "exp") from error
    except MissingClaimError as error:
        # One that is not there at all is the provider's fault, but for those that bind it to us.
        bound = error.claim if error.claim in ("nonce", "azp") else ""
        raise Failed(BY_CLAIM.get(bound, Failure.TOKEN), f"no {error.claim}") from error
    except ClaimError as error:
        raise Failed(BY_CLAIM.get(error.claim, Failure.TOKEN), error.claim) from error
    except (JoseError, ValueError, TypeError) as error:
        raise Failed(Failure.TOKEN, type(error).__name__) from error
    return dict(claims)


def _key_set(keys: Mapping[str, Any]) -> KeySet:
    """The keys that a token can be signed with; of others there may be kinds that nobody reads."""
    signing = [
        key for key in keys["keys"] if key.get("kty") in KINDS and key.get("use", "sig") == "sig"
    ]
    return KeySet.import_key_set({"keys": signing})
