"""Calls that were seen of Remit, made again for another project by a bare client."""

from typing import Any

from bench.parts.working.recorded import as_call, filled, shape

ADMIN = "f" * 32
KEY = "0123456789abcdef0123456789abcdef"
SEEN: list[dict[str, Any]] = [
    {"service": "identity", "method": "GET", "path": f"/v3/projects/{KEY}", "body": None},
    {
        "service": "volume", "method": "PUT", "path": f"/v3/{ADMIN}/os-quota-sets/{KEY}",
        "body": {"quota_set": {"gigabytes": 7, "gigabytes_storage-a": 5}},
    },
]  # fmt: skip
# About no project.
LISTED: dict[str, Any] = {
    "service": "identity", "region": None, "method": "GET", "path": "/v3/services", "body": None
}  # fmt: skip


def test_a_recorded_change_is_made_anew_for_another_project_with_other_figures() -> None:
    template = [as_call(each, KEY) for each in SEEN]

    calls = filled(
        template, region="region-one", external_id="other", names={"storage-a": "zone-a"}, more=2
    )

    body = {"quota_set": {"gigabytes": 9, "gigabytes_zone-a": 7}}
    assert calls == [
        ("identity", "region-one", "GET", "/projects/other", None),
        ("block-storage", "region-one", "PUT", "/os-quota-sets/other", body),
    ]


def test_calls_are_the_same_whatever_the_project_and_its_figures() -> None:
    mine = shape([*({**each, "region": "one"} for each in SEEN), LISTED], [KEY])
    other = [{**each, "path": each["path"].replace(KEY, "other"), "region": "one"} for each in SEEN]

    assert mine == shape(other, [KEY, "other"])
    assert mine == {
        ("identity", "one", "GET", "/projects/{project}"): 1,
        ("volume", "one", "PUT", "/os-quota-sets/{project}"): 1,
    }
