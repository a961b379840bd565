"""A RADOS gateway's part: users and their quotas by the Admin Ops API, and as much of S3 as it
takes to fill a bucket and to be stopped.

Whoever calls is known by the access key alone: signatures are not checked here. As the real one
does it: figures that cannot be read are taken for "not given" with a 200, a negative size or a
quota that is switched off bounds nothing, no more than zero buckets mean any number of them, and
minus one none at all. What is beyond its numbers wraps around.
"""

import re
import urllib.parse
from typing import Any

from contrib.sandbox.calls import Answer, Call, Refusal
from contrib.sandbox.state import Gateway, StorageUser

_KIB = 1024


def handle(call: Call) -> Answer:
    """Answer one call; the path begins after `/REGION/storage`."""
    gateway = call.cloud.gateway(call.region or "")
    user = _caller(call, gateway)
    parts = [urllib.parse.unquote(part) for part in call.path.split("/") if part]
    if parts[:1] != ["admin"]:
        return _s3(call, gateway, user, parts)
    if user is not None:
        raise Refusal(403, "AccessDenied")
    with call.cloud.change():
        match (call.method, *parts[1:]):
            case ("GET", "user"):
                return _show(call, _found(call, gateway))
            case ("PUT", "user") if "quota" in call.query:
                _set_quota(call, _found(call, gateway))
                return Answer(200)
            case ("PUT", "user"):
                return _create(call, gateway)
            case ("POST", "user"):
                found = _found(call, gateway)
                most = _number(call.query.get("max-buckets"))
                if most is not None and not call.ignores_writes:
                    found.max_buckets = most
                return Answer(200, _shown(found))
            case ("GET", "bucket"):
                return Answer(200, _buckets(call, gateway))
            case ("GET", "metadata", "user"):
                return Answer(200, sorted(gateway.users))
    raise Refusal(404, "NoSuchKey")


def _caller(call: Call, gateway: Gateway) -> StorageUser | None:
    """None for the administrator."""
    signed = re.search(r"Credential=([^/]+)/", call.headers.get("authorization", ""))
    key = signed[1] if signed else ""
    if key == gateway.access_key:
        return None
    found = next((user for user in gateway.users.values() if user.access_key == key), None)
    if not key or found is None:
        raise Refusal(403, "InvalidAccessKeyId" if key else "AccessDenied")
    return found


def _found(call: Call, gateway: Gateway) -> StorageUser:
    found = gateway.users.get(call.query.get("uid", ""))
    if found is None:
        raise Refusal(404, "NoSuchUser")
    return found


def _create(call: Call, gateway: Gateway) -> Answer:
    uid = call.query.get("uid", "")
    if uid in gateway.users:
        raise Refusal(409, "UserAlreadyExists")
    made = StorageUser(uid)
    if call.query.get("generate-key", "true").lower() == "false":
        made.access_key = ""
    if not call.ignores_writes:
        gateway.users[uid] = made
    return Answer(200, _shown(made))


def _number(text: str | None) -> int | None:
    """As the gateway reads numbers: what is none is as if it were not there; 64 bits."""
    if text is None or not re.fullmatch(r"-?[0-9]+", text):
        return None
    return (int(text) + 2**63) % 2**64 - 2**63


def _set_quota(call: Call, user: StorageUser) -> None:
    quota = user.quotas.get(call.query.get("quota-type", ""))
    if quota is None:
        raise Refusal(400, "InvalidArgument")
    if call.ignores_writes:
        return
    size, objects = _number(call.query.get("max-size-kb")), _number(call.query.get("max-objects"))
    if size is not None:
        quota["max_size"] = (size * _KIB + 2**63) % 2**64 - 2**63
    if objects is not None:
        quota["max_objects"] = objects
    if "enabled" in call.query:
        quota["enabled"] = int(call.query["enabled"].lower() == "true")


def _quota(user: StorageUser, kind: str) -> dict[str, Any]:
    quota = user.quotas[kind]
    return {
        "enabled": bool(quota["enabled"]),
        "check_on_raw": False,
        "max_size": quota["max_size"],
        "max_size_kb": max(0, -(-quota["max_size"] // _KIB)),
        "max_objects": quota["max_objects"],
    }


def _shown(user: StorageUser) -> dict[str, Any]:
    keys = [{"user": user.uid, "access_key": user.access_key, "secret_key": user.secret_key}]
    return {
        "tenant": "",
        "user_id": user.uid,
        "display_name": user.uid,
        "suspended": 0,
        "max_buckets": user.max_buckets,
        "keys": keys if user.access_key else [],
        "bucket_quota": _quota(user, "bucket"),
        "user_quota": _quota(user, "user"),
        "type": "rgw",
    }


def _show(call: Call, user: StorageUser) -> Answer:
    if "quota" in call.query:
        return Answer(200, {f"{kind}_quota": _quota(user, kind) for kind in ("bucket", "user")})
    body = _shown(user)
    if call.query.get("stats", "").lower() == "true":
        size, count = user.total()
        body["stats"] = {"size": size, "size_actual": size, "num_objects": count}
    return Answer(200, body)


def _buckets(call: Call, gateway: Gateway) -> list[Any]:
    uid = call.query.get("uid")
    users = [user for user in gateway.users.values() if uid in (None, user.uid)]
    is_whole = call.query.get("stats", "").lower() == "true"
    return [_bucket(user, name) if is_whole else name for user in users for name in user.buckets]


def _bucket(user: StorageUser, name: str) -> dict[str, Any]:
    sizes = user.buckets[name].values()
    usage = {"rgw.main": {"size": sum(sizes), "num_objects": len(sizes)}} if sizes else {}
    return {"bucket": name, "owner": user.uid, "tenant": "", "usage": usage}


def _s3(call: Call, gateway: Gateway, user: StorageUser | None, parts: list[str]) -> Answer:
    if user is None or not parts:
        return _s3_refusal(403, "AccessDenied")
    with call.cloud.change():
        match (call.method, *parts):
            case ("PUT", bucket):
                if user.max_buckets < 0:
                    return _s3_refusal(403, "AccessDenied")
                if 0 < user.max_buckets <= len(user.buckets) and bucket not in user.buckets:
                    return _s3_refusal(400, "TooManyBuckets")
                user.buckets.setdefault(bucket, {})
            case ("PUT", bucket, *name) if bucket in user.buckets:
                size = len(call.raw_body)
                if _exceeds(user, bucket, size):
                    return _s3_refusal(403, "QuotaExceeded")
                user.buckets[bucket]["/".join(name)] = size
            case ("DELETE", bucket) if bucket in user.buckets:
                del user.buckets[bucket]
                return Answer(204)
            case ("DELETE", bucket, *name) if bucket in user.buckets:
                user.buckets[bucket].pop("/".join(name), None)
                return Answer(204)
            case _:
                return _s3_refusal(404, "NoSuchBucket")
    return Answer(200)


def _exceeds(user: StorageUser, bucket: str, size: int) -> bool:
    """Whether one object more of this size is past a quota."""
    inside = user.buckets[bucket].values()
    for kind, (held, count) in {
        "user": user.total(),
        "bucket": (sum(inside), len(inside)),
    }.items():
        quota = user.quotas[kind]
        if not quota["enabled"]:
            continue
        if 0 <= quota["max_size"] < held + size and size:
            return True
        if 0 <= quota["max_objects"] < count + 1:
            return True
    return False


def _s3_refusal(status: int, code: str) -> Answer:
    page = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>'
    return Answer(status, page, {"Content-Type": "application/xml"})
