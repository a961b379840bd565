"""Which site, and with which token: the environment first, then the file that `login` wrote.

The file holds a secret. It is made with mode 0600, and one that others may read is refused.
"""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .failures import NotSignedIn, Wrong

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Secret:
    """A token that does not show itself: not by print, not in a traceback."""

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True)
class Access:
    """What a call needs. `ca`: a file of certificates to trust instead of the system's."""

    url: str
    token: Secret
    ca: str | None = None


def config_file(environment: Mapping[str, str]) -> Path:
    """In the user's folder for configurations, by the XDG rule."""
    home = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "remit" / "access.json"


def checked_url(text: str) -> str:
    """The address of a site, without the slash at its end; raises Wrong.

    Only https, so that no token is read on its way; http for this machine alone.
    """
    try:
        parts = urlsplit(text.strip())
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise Wrong("That is no address of a site: write https://remit.example.") from error
    if not host or parts.scheme not in ("https", "http"):
        raise Wrong("That is no address of a site: write https://remit.example.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Wrong("Give the address alone: no name, password or query in it.")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise Wrong("A token is sent over https only: write https:// in front of the address.")
    return parts.geturl().rstrip("/").removesuffix("/api/v1")


def checked_token(text: str) -> Secret:
    """A token as it was pasted; raises Wrong for what no header can hold, without repeating it."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Wrong("That is no token: it is one word, which the site shows once.")
    return Secret(token)


def find_access(environment: Mapping[str, str]) -> Access:
    """Raises NotSignedIn; Wrong where the file or a variable makes no sense."""
    kept = read(config_file(environment))
    url = environment.get("REMIT_URL") or kept.get("url")
    # A token is for the site that it was made at: another address needs another one.
    is_other = bool(kept) and url is not None and checked_url(url) != kept.get("url")
    token = environment.get("REMIT_TOKEN") or (None if is_other else kept.get("token"))
    if not url or not token:
        missing = "an address" if not url else f"a token for {url}"
        raise NotSignedIn(
            f"Not signed in, {missing} is missing: run `remit login`, or set REMIT_URL and "
            "REMIT_TOKEN."
        )
    ca = environment.get("REMIT_CA") or kept.get("ca") or None
    return Access(checked_url(url), checked_token(token), ca)


def read(file: Path) -> dict[str, str]:
    """What `login` wrote; empty where it wrote nothing."""
    try:
        with file.open(encoding="utf-8") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise Wrong(f"Others may read {file}: run `chmod 600 {file}`, or `remit login`.")
            kept = json.load(opened)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Wrong(f"{file} cannot be read: run `remit login` again.") from error
    if not isinstance(kept, dict):
        raise Wrong(f"{file} cannot be read: run `remit login` again.")
    return {str(name): str(value) for name, value in kept.items() if value is not None}


def write(file: Path, access: Access) -> None:
    """Whole or not at all, and never readable by others, not for a moment."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    kept = {"url": access.url, "token": access.token.reveal(), "ca": access.ca}
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        json.dump(kept, opened)
    part.replace(file)
