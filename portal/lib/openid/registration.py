"""How a site is registered at its OpenID provider; portal/settings.py makes it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Registration:
    """How the provider knows us. Without a secret we are a public client; PKCE holds both."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    timeout: float = 5.0
    leeway: int = 60
