"""Ceph object storage by the Admin Ops API of its gateway: what a user, and each bucket of it,
may hold. The user is called as the project is, and is made when it first gets something.

clouds.yaml holds, in the endpoint's cloud, `rgw: {url, access_key, secret_key}`, or one such row
for each region by its name. The keys are those of a user of the gateway with the capabilities
`users=*` and `buckets=read`. Options: `uid`, the user's name with {project_id} in it (default
"{project_id}"; "{project_id}${project_id}" where the gateway has implicit tenants);
`users_by_keystone: true` where the gateway makes users itself, as people come from Keystone.

Nothing is what a user has who does not exist, so no user is made to hold nothing; where the
gateway makes them itself, it must be told, and one is made. In what the gateway stores, a
negative size, a quota that is switched off, and no more than zero buckets mean *unlimited*; zero
buckets are −1 there. Sizes are KiB. A limit below usage is taken. Sizes beyond what the gateway
counts in wrap around without a word, so nothing near them is sent.

Use of one user is one call, which brings the gateway's own figures up to date, and one more for
buckets. For all users at once it is one list of all buckets.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from requests_aws4auth import AWS4Auth

from quotas.backends.base import UNLIMITED, EndpointConfig, Figure, KeySpec, Survey
from quotas.backends.counting import LARGEST, Counting, checked_id, whole
from quotas.backends.deadline import TimeLeft
from quotas.backends.errors import BackendError, Kind, broken
from quotas.backends.rest import Rest, entry_of
from quotas.backends.sorting import Rule

KIB: Final = 1024
MOST: Final = 2**52
"""In KiB or objects: half of what the gateway can count in."""

_USER, _BUCKETS = "/admin/user", "/admin/bucket"
# Key: whose quota it is, and what that is called in it.
_QUOTAS: Final = {
    "size": ("user", "max-size-kb"),
    "objects": ("user", "max-objects"),
    "bucket_size": ("bucket", "max-size-kb"),
    "bucket_objects": ("bucket", "max-objects"),
}
_RULES = (
    Rule(404, "NoSuchUser", "project_gone"),
    Rule(403, "InvalidAccessKeyId|SignatureDoesNotMatch|UserSuspended", "credentials"),
    Rule(409, "UserAlreadyExists", "conflict", Kind.TRANSIENT),
)


class RgwDriver(Counting):
    """The quota driver for a RADOS gateway."""

    SERVICE = "RGW"
    SPECS = (
        KeySpec("size", "B", KIB, MOST),
        KeySpec("objects", "", 1, MOST),
        KeySpec("buckets", "", 1, LARGEST),
        KeySpec("bucket_size", "B", KIB, MOST),
        KeySpec("bucket_objects", "", 1, MOST),
    )

    def __init__(self, config: EndpointConfig) -> None:
        self._config = config
        self._uid = str(config.options.get("uid", "{project_id}"))
        self._is_told = bool(config.options.get("users_by_keystone", False))

    def read(
        self, project_id: str, keys: Iterable[str] | None = None, *, timeout: float
    ) -> dict[str, Figure]:
        left = TimeLeft(timeout)
        uid = self._user_of(project_id)
        known = [each.key for each in self.SPECS]
        wanted = known if keys is None else [key for key in keys if key in known]
        gateway = self._gateway()
        try:
            user = gateway.call(
                "GET",
                _USER,
                query={"uid": uid, "stats": "true", "sync": "true", "format": "json"},
                timeout=left(),
            )
        except BackendError as error:
            if error.code != "project_gone":
                raise
            # Nobody there can hold nothing, unless the gateway makes users without asking.
            limit = None if self._is_told else 0
            return {key: Figure(limit, _used_by_nobody(key)) for key in wanted}
        buckets = self._bucket_count(gateway, uid, left) if "buckets" in wanted else None
        return {key: Figure(_limit(user, key), _used(user, key, buckets)) for key in wanted}

    def write(self, project_id: str, values: Mapping[str, int], *, timeout: float) -> None:
        self.check(values)
        uid = self._user_of(project_id)
        if not values:
            return
        calls = _calls(uid, values)
        left, gateway = TimeLeft(timeout), self._gateway()
        try:
            self._send(gateway, calls, left)
        except BackendError as error:
            if error.code != "project_gone":
                raise
            if not any(values.values()) and not self._is_told:
                return
            # Without keys: whoever is to sign in gets them from people, or from Keystone.
            query = {"uid": uid, "display-name": uid, "generate-key": "false", "format": "json"}
            gateway.call("PUT", _USER, query=query, timeout=left())
            self._send(gateway, calls, left, is_begun=True)

    def survey(self, keys: Iterable[str] | None = None, *, timeout: float) -> Survey:
        counted = {"size", "objects", "buckets"} & {
            *(keys if keys is not None else ("size", "objects", "buckets"))
        }
        rows = self._gateway().call(
            "GET", _BUCKETS, query={"stats": "true", "format": "json"}, timeout=timeout
        )
        if not isinstance(rows, list):
            raise broken(str(rows))
        use: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            owner, size, objects = _bucket(row)
            use[owner].update({"size": size, "objects": objects, "buckets": 1})
        figures = {
            project: {
                key: Figure(None, _kib(used[key]) if key == "size" else used[key])
                for key in counted
            }
            for owner, used in use.items()
            if (project := self._project_of(owner))
        }
        return Survey(figures, counted=frozenset(counted), bounded=frozenset())

    def _gateway(self) -> Rest:
        entry = entry_of(self._config, "rgw")
        missing = [key for key in ("url", "access_key", "secret_key") if not entry.get(key)]
        if missing:
            raise BackendError(
                Kind.REFUSED, "configuration", f"rgw of {self._config.cloud}: no {missing[0]}"
            )
        # The gateway compares the signature's region with nothing; its usual name is this one.
        auth = AWS4Auth(entry["access_key"], entry["secret_key"], "us-east-1", "s3")
        name = f"object storage of {self._config.cloud} {self._config.region_name or ''}".strip()
        return Rest(name, str(entry["url"]), auth=auth, rules=_RULES)

    def _user_of(self, project_id: str) -> str:
        return self._uid.replace("{project_id}", checked_id(project_id))

    def _project_of(self, uid: str) -> str | None:
        """The project whose user this is; None for users of others."""
        start, _, end = self._uid.partition("{project_id}")
        end = end.rpartition("{project_id}")[2]
        # With a tenant the name stands twice: the part behind the last sign is the project.
        name = uid.rpartition("$")[2] if "$" in self._uid else uid
        name = name.removeprefix("" if "$" in start else start).removesuffix(end)
        return name if self._uid.replace("{project_id}", name) == uid else None

    def _bucket_count(self, gateway: Rest, uid: str, left: TimeLeft) -> int:
        rows = gateway.call("GET", _BUCKETS, query={"uid": uid, "format": "json"}, timeout=left())
        if not isinstance(rows, list):
            raise broken(str(rows))
        return len(rows)

    def _send(
        self,
        gateway: Rest,
        calls: list[tuple[str, dict[str, str]]],
        left: TimeLeft,
        *,
        is_begun: bool = False,
    ) -> None:
        for number, (method, query) in enumerate(calls):
            try:
                answer = gateway.call(method, _USER, query=query, timeout=left())
            except BackendError as error:
                error.uncertain = error.uncertain or is_begun or number > 0
                raise
            # It says nothing to a quota, and to a user the user.
            is_user = isinstance(answer, dict) and "user_id" in answer
            if answer is not None and not (method == "POST" and is_user):
                raise broken("an answer where there is none", uncertain=True)


def _calls(uid: str, values: Mapping[str, int]) -> list[tuple[str, dict[str, str]]]:
    """(method, query) of each call: one for the user's quota, one for its buckets', one for how
    many of them there may be."""
    found = []
    for kind in ("user", "bucket"):
        limits = {
            name: str(values[key])
            for key, (of, name) in _QUOTAS.items()
            if of == kind and key in values
        }
        if limits:
            more = {"quota": "", "quota-type": kind, "enabled": "true"}
            found.append(("PUT", {"uid": uid, **more, **limits}))
    if "buckets" in values:
        most = values["buckets"] if values["buckets"] else -1
        found.append(("POST", {"uid": uid, "max-buckets": str(most), "format": "json"}))
    return found


def _limit(user: Any, key: str) -> int:
    try:
        if key == "buckets":
            most = user["max_buckets"]
            return UNLIMITED if most == 0 else max(most, 0)
        of, _ = _QUOTAS[key]
        quota = user[f"{of}_quota"]
        limit = quota["max_size" if key.endswith("size") else "max_objects"]
        if not whole(limit):
            raise broken(f"{key}: {limit!r}")
        if quota["enabled"] is not True or limit < 0:
            return UNLIMITED
    except (KeyError, TypeError) as error:
        raise _not_told(key) from error
    return _kib(limit) if key.endswith("size") else int(limit)


def _used(user: Any, key: str, buckets: int | None) -> int | None:
    """What is in use; nobody says it of single buckets, which none of ours is."""
    if key == "buckets":
        return buckets
    if key.startswith("bucket_"):
        return None
    try:
        used = user["stats"]["size" if key == "size" else "num_objects"]
    except (KeyError, TypeError) as error:
        raise _not_told(key) from error
    if not whole(used):
        raise broken(f"{key}: {used!r}")
    return _kib(used) if key == "size" else int(used)


def _not_told(key: str) -> BackendError:
    # Without the answer itself, which holds the user's keys.
    return broken(f"a user without {key}")


def _used_by_nobody(key: str) -> int | None:
    return None if key.startswith("bucket_") else 0


def _bucket(row: Any) -> tuple[str, int, int]:
    """Whose it is, its bytes and its objects; a bucket that was never written to tells none."""
    try:
        usage = row["usage"].get("rgw.main", {})
        figures = (usage.get("size", 0), usage.get("num_objects", 0))
        owner = str(row["owner"])
    except (AttributeError, KeyError, TypeError) as error:
        raise broken(str(row)[:200]) from error
    if not whole(*figures):
        raise broken(str(row)[:200])
    return owner, *figures


def _kib(size: int) -> int:
    """A size in bytes, rounded up: what is begun is used."""
    return -(-size // KIB)
