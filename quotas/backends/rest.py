"""How a service is called over plain HTTP: what drivers of services without a client library of
their own share. Retries nothing, follows no redirect, ends on time; whatever goes wrong leaves
here as a `BackendError`.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml
from requests.auth import AuthBase

from quotas.backends.base import EndpointConfig
from quotas.backends.deadline import Deadline, http_session
from quotas.backends.errors import BackendError, Kind, broken
from quotas.backends.sorting import Rule, sort_answer, sort_failure

# Where files are looked for that the endpoint does not name, as openstacksdk does.
_PLACES = ("clouds.yaml", "~/.config/openstack/clouds.yaml", "/etc/openstack/clouds.yaml")


def entry_of(config: EndpointConfig, part: str) -> Mapping[str, Any]:
    """What clouds.yaml says in `part` of the endpoint's cloud; secure.yaml beside it adds to it.

    One entry may hold several regions: where `part` names the endpoint's region, that is meant.
    Raises `configuration`.
    """
    name = config.clouds_file or os.environ.get("OS_CLIENT_CONFIG_FILE")
    places = [Path(name)] if name else [Path(each).expanduser() for each in _PLACES]
    file = next((each for each in places if each.is_file()), None)
    if file is None:
        raise _configuration(f"{name or 'clouds.yaml'} is not there to be read")
    found: dict[str, Any] = {}
    for each in (file, file.with_name("secure.yaml")):
        if each.is_file():
            found |= _part(each, config, part)
    if not found:
        raise _configuration(f"{file} has no {part!r} for {config.cloud} {config.region_name}")
    return found


def _part(file: Path, config: EndpointConfig, part: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _configuration(f"{file} cannot be read: {type(error).__name__}") from error
    for key in ("clouds", config.cloud, part):
        content = content.get(key) if isinstance(content, dict) else None
    if not isinstance(content, dict):
        return {}
    of_region = content.get(config.region_name)
    return dict(of_region) if isinstance(of_region, dict) else content


def _configuration(words: str) -> BackendError:
    return BackendError(Kind.REFUSED, "configuration", words)


@functools.lru_cache(maxsize=64)
def _session(process: int, address: str) -> requests.Session:
    """One for each address. A forked worker never shares its parent's sockets."""
    return http_session()


class Rest:
    """A service at an address, called by path. `name` stands for it in words about failures."""

    def __init__(
        self, name: str, address: str, *, auth: AuthBase | None = None, rules: Sequence[Rule] = ()
    ) -> None:
        self.name = name
        self.address = address.rstrip("/")
        self.rules = rules
        self._auth = auth

    def call(
        self,
        method: str,
        path: str,
        *,
        timeout: float,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """One request; the answer's JSON, None where it has no body. Raises `BackendError`."""
        is_write = method not in ("GET", "HEAD")
        deadline = Deadline(timeout)
        try:
            with deadline:
                response = _session(os.getpid(), self.address).request(
                    method,
                    self.address + path,
                    params=query,
                    json=body,
                    auth=self._auth,
                    headers={"Accept": "application/json"},
                    allow_redirects=False,
                )
        except (requests.RequestException, OSError, ValueError) as error:
            found = sort_failure(error, self.name, timed_out=deadline.is_over)
            found.uncertain = is_write and bool(deadline.sent)
            raise found from error
        if response.status_code >= 300:
            found = sort_answer(response, self.rules)
            found.uncertain = is_write and response.status_code >= 500
            raise found
        if not response.content:
            return None
        try:
            return response.json()
        except (ValueError, RecursionError):
            raise broken(response.text, response.status_code, uncertain=is_write) from None
