"""Object storage as the conformance suite handles it: the sandbox's, and a real gateway."""

import urllib.parse
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml
from requests_aws4auth import AWS4Auth

from quotas.backends import EndpointConfig
from quotas.backends.conformance import Below, Subject, Unknown
from quotas.backends.rgw import RgwDriver

KIB = 1024


class StorageSubject(Subject):
    """A gateway in clouds.yaml; a new project is a user of it."""

    keys: Sequence[str] = ("size", "objects", "buckets", "bucket_size", "bucket_objects")
    usable: Sequence[str] = ("objects", "size", "buckets")
    below = Below.TAKEN
    unknown = Unknown.ANSWERED

    def __init__(self, clouds_yaml: Path, cloud: str, region: str | None, folder: Path) -> None:
        self._content = yaml.safe_load(clouds_yaml.read_text())
        self._cloud, self._region, self._folder = cloud, region, folder
        found = urllib.parse.urlsplit(self.gateway["url"])
        self.address = f"{found.scheme}://{found.netloc}"
        self._path = found.path
        self._users: dict[str, AWS4Auth] = {}

    @property
    def gateway(self) -> dict[str, str]:
        entry = self._content["clouds"][self._cloud]["rgw"]
        found: dict[str, str] = entry[self._region] if self._region else entry
        return found

    def driver(self, address: str, **options: Any) -> RgwDriver:
        entry = {**self.gateway, "url": address + self._path}
        file = self._folder / f"{uuid.uuid4().hex}.yaml"
        file.write_text(yaml.safe_dump({"clouds": {self._cloud: {"rgw": entry}}}))
        return RgwDriver(
            EndpointConfig(
                "subject", "rgw", self._cloud, self._region, options, clouds_file=str(file)
            )
        )

    def new_project(self) -> str:
        project = uuid.uuid4().hex
        made = self.admin("PUT", "user", uid=project, **{"display-name": project}).json()
        key = made["keys"][0]
        self._users[project] = _signer(key["access_key"], key["secret_key"])
        return project

    def gone_project(self) -> str:
        return uuid.uuid4().hex

    def limits(self, project_id: str) -> Mapping[str, int]:
        """As the gateway means what it stores."""
        user = self.admin("GET", "user", uid=project_id).json()
        found = {"buckets": {0: -1, -1: 0}.get(user["max_buckets"], user["max_buckets"])}
        for kind, start in (("user", ""), ("bucket", "bucket_")):
            quota = user[f"{kind}_quota"]
            size, objects = quota["max_size"], quota["max_objects"]
            is_on = quota["enabled"]
            found[f"{start}size"] = size // KIB if is_on and size >= 0 else -1
            found[f"{start}objects"] = objects if is_on and objects >= 0 else -1
        return found

    def use(self, project_id: str, key: str, count: int) -> None:
        for bucket in self.buckets(project_id):
            for name in ("0", "1", "2"):
                self.s3("DELETE", project_id, f"{bucket}/{name}")
            assert self.s3("DELETE", project_id, bucket).status_code == 204
        for number in range(count if key == "buckets" else 1):
            assert self.s3("PUT", project_id, f"{project_id}-{number}").status_code == 200
        bucket = f"{project_id}-0"
        if key == "size":
            assert self.put(project_id, f"{bucket}/0", count * KIB) == 200
        if key == "objects":
            for number in range(count):
                assert self.put(project_id, f"{bucket}/{number}", 0) == 200

    def put(self, project_id: str, name: str, size: int) -> int:
        """The status of writing an object of so many bytes as the user."""
        return self.s3("PUT", project_id, name, b"x" * size).status_code

    def s3(self, method: str, project_id: str, name: str, body: bytes = b"") -> requests.Response:
        url = f"{self.address}{self._path}/{name}"
        return requests.request(method, url, data=body, auth=self._users[project_id], timeout=60)

    def buckets(self, project_id: str) -> list[str]:
        found: list[str] = self.admin("GET", "bucket", uid=project_id).json()
        return found

    def admin(self, method: str, what: str, **query: str) -> requests.Response:
        """A call of the administrator past the driver."""
        auth = _signer(self.gateway["access_key"], self.gateway["secret_key"])
        url = f"{self.address}{self._path}/admin/{what}"
        query["format"] = "json"
        return requests.request(method, url, params=query, auth=auth, timeout=60)


def _signer(access_key: str, secret_key: str) -> AWS4Auth:
    return AWS4Auth(access_key, secret_key, "us-east-1", "s3")
