"""Which services a cloud has, and how a client is led to the proxy instead of them."""

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from contrib.sandbox.bench import Place
from contrib.testing.plain import PlainClient

# The catalogue's types, and what the bench calls them.
_TYPES = {
    "compute": "compute", "volumev3": "volume", "block-storage": "volume", "network": "network",
    "sharev2": "share", "shared-file-system": "share", "load-balancer": "balancer",
}  # fmt: skip


@dataclass(frozen=True)
class Upstream:
    """A service as the catalogue names it. `region` is None for identity, which has one port
    for all regions."""

    service: str
    region: str | None
    type: str
    url: str

    @property
    def place(self) -> Place:
        return self.service, self.region

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    @property
    def root(self) -> str:
        """The path before the API's version: what the bench leaves out."""
        return re.split(r"/v\d", urlsplit(self.url).path)[0]

    def through(self, port: int, host: str) -> str:
        """Its URL at the proxy."""
        return urlsplit(self.url)._replace(scheme="http", netloc=f"{host}:{port}").geturl()


def upstreams(clouds_yaml: Path, cloud: str) -> list[Upstream]:
    """The services of a cloud that the bench knows. Signs in to read the catalogue."""
    login = _cloud(clouds_yaml, cloud)["auth"]
    found = [Upstream("identity", None, "identity", login["auth_url"].rstrip("/"))]
    for (kind, region), url in PlainClient(clouds_yaml, cloud).endpoints.items():
        if kind in _TYPES:
            found.append(Upstream(_TYPES[kind], region, kind, url))
    for each in found:
        if urlsplit(each.url).scheme != "http":
            raise ValueError(f"the proxy speaks no TLS to {each.url}")
    return found


def proxied(clouds_yaml: Path, cloud: str, urls: Mapping[Upstream, str]) -> str:
    """The text of a clouds.yaml whose cloud of that name leads to these URLs. JSON is YAML."""
    login = copy.deepcopy(_cloud(clouds_yaml, cloud))
    identity = next(url for each, url in urls.items() if each.region is None)
    login["auth"]["auth_url"] = identity
    login["regions"] = [
        {
            "name": region,
            "values": {
                "identity_endpoint_override": identity,
                **{
                    f"{each.type.replace('-', '_')}_endpoint_override": url
                    for each, url in urls.items()
                    if each.region == region
                },
            },
        }
        for region in sorted({each.region for each in urls if each.region is not None})
    ]
    login.pop("region_name", None)
    return json.dumps({"clouds": {cloud: login}}, indent=2) + "\n"


def _cloud(clouds_yaml: Path, cloud: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(clouds_yaml.read_text())["clouds"][cloud]
    return found
