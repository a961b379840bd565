"""Illegal input: the right status, a sentence that points at the place, and nothing stored."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from projects.models import Event
from quotas.models import Comment, Decision, QuotaRequest, RequestLine, Transfer
from quotas.tests.api import approval, caller, refusal, submit
from quotas.tests.site import GIB, Site, make_project

VCPU = "geneva.compute-a.vcpu"
RAM = "geneva.compute-a.ram"
LINE = f"#/lines/{VCPU}"
MEGABYTE = "x" * 2**20


def counts() -> list[int]:
    """How many rows there are of everything that a verb could store."""
    kinds = (QuotaRequest, RequestLine, Comment, Decision, Transfer, Event)
    return [kind.objects.count() for kind in kinds]


def wish(**changes: Any) -> dict[str, Any]:
    return {"project": "atlas-reco", "lines": {VCPU: 100}, "reason": "tests"} | changes


# (what is wrong, the status, where)
WRONG_WISHES: list[tuple[dict[str, Any], str]] = [
    (wish(lines={VCPU: -1}), LINE),
    (wish(lines={VCPU: 0}), LINE),  # equal to the quota, which is none
    (wish(lines={VCPU: 2**62 + 1}), LINE),
    (wish(lines={VCPU: 2**63}), LINE),
    (wish(lines={VCPU: 10**4000}), LINE),
    (wish(lines={VCPU: -(10**30)}), LINE),
    (wish(lines={VCPU: "64"}), LINE),
    (wish(lines={VCPU: "many"}), LINE),
    (wish(lines={VCPU: 64.0}), LINE),
    (wish(lines={VCPU: True}), LINE),
    (wish(lines={VCPU: None}), LINE),
    (wish(lines={VCPU: [64]}), LINE),
    (wish(lines={RAM: GIB + 1}), f"#/lines/{RAM}"),
    (wish(lines={"geneva.compute-z.vcpu": 1}), "#/lines/geneva.compute-z.vcpu"),
    (wish(lines={"a\x00b": 1}), "#/lines/a\x00b"),
    (wish(lines={"\ud800": 1}), "#/lines/?"),
    (wish(lines={}), "#/lines"),
    (wish(lines=[VCPU]), "#/lines"),
    (wish(lines={f"x.y.z{each}": 1 for each in range(201)}), "#/lines"),
    (wish(reason=""), "#/reason"),
    (wish(reason=" \n "), "#/reason"),
    (wish(reason=MEGABYTE), "#/reason"),
    (wish(reason="a\x00b"), "#/reason"),
    (wish(reason="a\x07b"), "#/reason"),
    (wish(reason="a\ud800b"), "#/reason"),
    (wish(reason=7), "#/reason"),
    (wish(reason=None), "#/reason"),
    (wish(until_on="tomorrow"), "#/until_on"),
    (wish(until_on="2001-01-01"), "#/until_on"),
    (wish(until_on="9999-12-31"), "#/until_on"),
    (wish(all_or_nothing="yes"), "#/all_or_nothing"),
    (wish(draft=1), "#/draft"),
    (wish(priority="high"), "#/priority"),
    (wish(project=7), "#/project"),
    (wish(project="a\x00b"), "#/project"),
    ({"lines": {VCPU: 1}, "reason": "x"}, "#/project"),
]


@pytest.mark.parametrize(
    ("body", "pointer"), WRONG_WISHES, ids=[str(n) for n in range(len(WRONG_WISHES))]
)
def test_a_wrong_wish_is_refused_and_points_at_the_place(
    site_today: Site, body: dict[str, Any], pointer: str
) -> None:
    before = counts()
    answer = caller(site_today, "alice").post("requests/", body)
    assert refusal(answer) == (422, "invalid")
    assert pointer in {each["pointer"] for each in answer.json()["errors"]}
    assert all(each["detail"] for each in answer.json()["errors"])
    assert counts() == before


@pytest.mark.parametrize("amount", [-1, 2**62 + 1, "64", 1.5, True])
def test_a_wrong_draft_is_refused_too(site_today: Site, amount: Any) -> None:
    before = counts()
    answer = caller(site_today, "alice").post("requests/", wish(lines={VCPU: amount}, draft=True))
    assert refusal(answer) == (422, "invalid")
    assert counts() == before


def test_every_wrong_line_is_told_at_once(site_today: Site) -> None:
    answer = caller(site_today, "alice").post("requests/", wish(lines={VCPU: -1, RAM: 1}))
    assert {each["pointer"] for each in answer.json()["errors"]} == {LINE, f"#/lines/{RAM}"}


def test_the_quota_that_is_there_already_is_no_wish(site_today: Site) -> None:
    asked = submit(site_today)
    dana = caller(site_today, "dana")
    dana.post(f"requests/{asked.pk}/approve/", approval(site_today, asked))
    before = counts()
    answer = caller(site_today, "alice").post("requests/", wish(lines={VCPU: 100}))
    assert refusal(answer) == (422, "invalid")
    assert counts() == before


def test_zero_is_a_legal_wish(site_today: Site) -> None:
    asked = submit(site_today)
    dana = caller(site_today, "dana")
    dana.post(f"requests/{asked.pk}/approve/", approval(site_today, asked))
    back = submit(site_today, {VCPU: 0})
    answer = dana.post(f"requests/{back.pk}/approve/", approval(site_today, back))
    assert answer.status_code == 200
    assert site_today.quota(site_today.vcpu) == 0


@pytest.mark.parametrize("slug", ["it-tools", "nowhere"])
def test_anothers_project_does_not_exist(site_today: Site, slug: str) -> None:
    make_project(site_today, "it-tools", "it", site_today.project.created_at)
    before = counts()
    answer = caller(site_today, "alice").post("requests/", wish(project=slug))
    assert refusal(answer) == (404, "not_found")
    assert counts() == before


def test_a_second_line_for_the_same_offering_is_a_conflict(site_today: Site) -> None:
    first = submit(site_today)
    before = counts()
    answer = caller(site_today, "alice").post("requests/", wish(lines={VCPU: 50}))
    assert refusal(answer) == (409, "conflict")
    assert answer.json()["facts"]["request"] == first.pk
    assert counts() == before


Body = Callable[[Site, QuotaRequest, int], dict[str, Any]]

# Wrong decisions: (verb, body, status, where or None)
WRONG_DECISIONS: list[tuple[str, Body, int, str | None]] = [
    ("approve", lambda s, r, n: approval(s, r, granted={str(n): -1}), 422, "#/granted/{n}"),
    ("approve", lambda s, r, n: approval(s, r, granted={str(n): 0}), 422, "#/granted/{n}"),
    ("approve", lambda s, r, n: approval(s, r, granted={str(n): 101}), 422, "#/granted/{n}"),
    ("approve", lambda s, r, n: approval(s, r, granted={str(n): 2**80}), 422, "#/granted/{n}"),
    ("approve", lambda s, r, n: approval(s, r, granted={str(n): "100"}), 422, "#/granted/{n}"),
    ("approve", lambda s, r, n: approval(s, r, granted={str(n): 1.5}), 422, "#/granted/{n}"),
    ("approve", lambda s, r, n: approval(s, r, granted={str(n): True}), 422, "#/granted/{n}"),
    ("approve", lambda s, r, n: approval(s, r, granted={"vcpu": 1}), 422, "#/granted/vcpu"),
    ("approve", lambda s, r, n: approval(s, r, granted={f"0{n}": 1}), 422, "#/granted/0{n}"),
    ("approve", lambda s, r, n: approval(s, r, granted={"9" * 30: 1}), 422, None),
    ("approve", lambda s, r, n: approval(s, r, granted={str(n + 1): 1}), 422, "#/lines"),
    ("approve", lambda s, r, n: approval(s, r, granted={}), 409, None),
    ("approve", lambda s, r, n: approval(s, r, granted=[n]), 422, "#/granted"),
    ("approve", lambda s, r, n: approval(s, r, seen={}), 422, "#/seen"),
    ("approve", lambda s, r, n: approval(s, r, seen={str(n): 2**63 - 1}), 412, None),
    ("approve", lambda s, r, n: approval(s, r, seen={str(n): 2**70}), 422, "#/seen/{n}"),
    ("approve", lambda s, r, n: approval(s, r, seen={str(n): None}), 422, "#/seen/{n}"),
    ("approve", lambda s, r, n: approval(s, r, version=0), 412, None),
    ("approve", lambda s, r, n: approval(s, r, version=2**63 - 1), 412, None),
    ("approve", lambda s, r, n: approval(s, r, version=2**70), 422, "#/version"),
    ("approve", lambda s, r, n: approval(s, r, version="1"), 422, "#/version"),
    ("approve", lambda s, r, n: {"granted": {str(n): 100}, "version": 1}, 422, "#/seen"),
    ("approve", lambda s, r, n: approval(s, r, reason=MEGABYTE), 422, "#/reason"),
    ("approve", lambda s, r, n: approval(s, r, reason="\x1b[31m"), 422, "#/reason"),
    ("decline", lambda s, r, n: {"lines": [n], "reason": "", "version": 1}, 422, "#/reason"),
    ("decline", lambda s, r, n: {"lines": [n], "reason": MEGABYTE, "version": 1}, 422, "#/reason"),
    ("decline", lambda s, r, n: {"lines": [n], "reason": "a\x00", "version": 1}, 422, "#/reason"),
    ("decline", lambda s, r, n: {"lines": [], "reason": "No", "version": 1}, 409, None),
    ("decline", lambda s, r, n: {"lines": [n, n], "reason": "No", "version": 1}, 422, "#/lines"),
    ("decline", lambda s, r, n: {"lines": [n + 1], "reason": "No", "version": 1}, 422, "#/lines"),
    ("decline", lambda s, r, n: {"lines": ["x"], "reason": "No", "version": 1}, 422, "#/lines/0"),
    ("decline", lambda s, r, n: {"lines": [2**80], "reason": "No", "version": 1}, 422, "#/lines/0"),
    ("decline", lambda s, r, n: {"lines": [n], "reason": "No", "version": 9}, 412, None),
    ("decline", lambda s, r, n: {"lines": [n], "reason": "No"}, 428, None),
    ("return", lambda s, r, n: {"lines": [n], "reason": "", "version": 1}, 422, "#/reason"),
    ("return", lambda s, r, n: {"lines": [n], "reason": "Why?", "version": 0}, 412, None),
    ("amend", lambda s, r, n: {"lines": {VCPU: -1}, "version": 1}, 422, LINE),
    ("amend", lambda s, r, n: {"lines": {VCPU: 2**63}, "version": 1}, 422, LINE),
    ("amend", lambda s, r, n: {"lines": {VCPU: 50}, "version": 7}, 412, None),
    ("amend", lambda s, r, n: {"lines": {VCPU: 50}, "version": 1, "reason": ""}, 422, "#/reason"),
    ("amend", lambda s, r, n: {"lines": {}, "version": 1}, 409, None),
    ("answer", lambda s, r, n: {"text": "Run 4", "version": 1}, 409, None),
    ("comment", lambda s, r, n: {"text": ""}, 422, "#/text"),
    ("comment", lambda s, r, n: {"text": MEGABYTE}, 422, "#/text"),
    ("comment", lambda s, r, n: {"text": "a\x00b"}, 422, "#/text"),
    ("comment", lambda s, r, n: {"text": ["a"]}, 422, "#/text"),
    ("withdraw", lambda s, r, n: {"lines": [n]}, 422, "#/lines"),
]


@pytest.mark.parametrize(
    ("verb", "body", "status", "pointer"),
    WRONG_DECISIONS,
    ids=[f"{each[0]}-{n}" for n, each in enumerate(WRONG_DECISIONS)],
)
def test_a_wrong_act_is_refused_and_nothing_is_stored(
    site_today: Site, verb: str, body: Body, status: int, pointer: str | None
) -> None:
    asked = submit(site_today)
    line = asked.lines.get().pk
    before = counts()
    name = "dana" if verb in ("approve", "decline", "return") else "alice"
    answer = caller(site_today, name).post(
        f"requests/{asked.pk}/{verb}/", body(site_today, asked, line)
    )
    assert refusal(answer)[0] == status
    if pointer is not None:
        pointers = {each["pointer"] for each in answer.json()["errors"]}
        assert pointer.format(n=line) in pointers
    assert counts() == before
    assert asked.lines.get().state == "open"


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 422, "invalid"),
        (b"{", 400, "malformed"),
        (b"null", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b"7", 422, "invalid"),
        (b'"x"', 422, "invalid"),
        (b"\xff\xfe", 400, "malformed"),
        (b'{"lines": {"x": NaN}}', 400, "malformed"),
        (b'{"lines": {"x": 1, "x": 2}}', 400, "malformed"),
        (b'{"lines": ' + b"[" * 200_000, 400, "malformed"),
        (b'{"lines": {"x": ' + b"9" * 5000 + b"}}", 400, "malformed"),
        (b" " * 2_700_000, 413, "too_large"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_wish(site_today: Site, raw: bytes, status: int, code: str) -> None:
    before = counts()
    assert refusal(caller(site_today, "alice").send("requests/", raw)) == (status, code)
    assert counts() == before


def test_a_body_of_another_kind(site_today: Site) -> None:
    answer = caller(site_today, "alice").send("requests/", b"a=b", "text/csv")
    assert refusal(answer) == (415, "unsupported_media_type")


def test_another_method(site_today: Site) -> None:
    answer = caller(site_today, "alice").delete("requests/")
    assert refusal(answer) == (405, "method_not_allowed")
    assert set(answer["Allow"].split(", ")) == {"GET", "POST", "OPTIONS"}


def test_another_representation(site_today: Site) -> None:
    answer = caller(site_today, "alice").client.get("/api/v1/me/", headers={"accept": "text/csv"})
    assert refusal(answer) == (406, "not_acceptable")


def test_a_day_that_is_today_is_legal(site_today: Site) -> None:
    asked = submit(site_today, until_on=date.max.replace(year=2030).isoformat())
    assert asked.until_on is not None
