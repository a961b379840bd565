"""ETag, If-None-Match and If-Match: what one has is not sent again, and nothing is overwritten."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from portal.lib.errors import Stale
from projects.actions import service_accounts
from projects.models import ApiToken, Delegation, ServiceAccount, Webhook
from quotas.actions.endpoints import last_word, pause, resume
from quotas.actions.unit_settings import set_waiting
from quotas.models import Announcement, Drift, Policy, QuotaRequest
from quotas.queries.hanging import seen_of
from quotas.tests.announcements.writing import draft_of
from quotas.tests.api import ROOT, approval, caller, refusal, submit
from quotas.tests.drifting import make_drift
from quotas.tests.site import GIB, NOW, Site
from quotas.tests.test_automatic import few, rule
from quotas.tests.test_doors_delegations import hand
from quotas.tests.test_tokens import WISH, token_for
from quotas.tests.webhooks.conftest import make_webhook

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

VCPU = "geneva.compute-a.vcpu"


@dataclass
class Things:
    """One of everything that has a tag, and who reads and changes it: {name: (who, path)}."""

    site: Site
    request: QuotaRequest
    draft: QuotaRequest
    policy: Policy
    handed: Delegation
    token: ApiToken
    account: ServiceAccount
    webhook: Webhook
    drift: Drift
    announcement: Announcement

    @property
    def places(self) -> dict[str, tuple[str, str]]:
        return {
            "request": ("dana", f"requests/{self.request.pk}/"),
            "draft": ("alice", f"requests/{self.draft.pk}/"),
            "policy": ("dana", f"policies/{self.policy.pk}/"),
            "delegation": ("dana", f"delegations/{self.handed.pk}/"),
            "waiting": ("dana", "units/atlas/waiting/"),
            "endpoint": ("otto", "endpoints/nova-geneva/"),
            "token": ("alice", f"tokens/{self.token.public_id}/"),
            "account": ("dana", f"service-accounts/{self.account.public_id}/"),
            "webhook": ("alice", f"webhooks/{self.webhook.public_id}/"),
            "drift": ("otto", f"drift/{self.drift.pk}/"),
            "announcement": ("otto", f"announcements/{self.announcement.pk}/"),
        }

    def tag(self, name: str) -> str:
        who, path = self.places[name]
        return str(caller(self.site, who).get(path).headers["ETag"])


@pytest.fixture
def things(site_today: Site) -> Things:
    draft = caller(site_today, "alice").post("requests/", WISH | {"draft": True}).json()
    return Things(
        site_today, submit(site_today), QuotaRequest.objects.get(pk=draft["id"]),
        rule(site_today, few(site_today), now=timezone.now() - timedelta(hours=1)),
        hand(site_today), token_for(site_today.alice)[0],
        service_accounts.make(
            place=site_today.units["atlas"], name="nightly", actor=site_today.dana,
            now=timezone.now(),
        ),
        make_webhook(
            site_today.alice, "https://tickets.example.org/", timezone.now(),
            project=site_today.project,
        ),
        make_drift(site_today, "gigabytes_storage-a", wanted=0, seen=10 * GIB),
        draft_of(site_today),
    )  # fmt: skip


def send(site: Site, who: str, method: str, path: str, body: Any, **headers: str) -> "Answer":
    client = caller(site, who).client
    sending: Callable[..., Answer] = getattr(client, method)
    if method == "get":
        return sending(ROOT + path, headers=headers)
    return sending(ROOT + path, body, "application/json", headers=headers)


NAMES = [
    "request", "draft", "policy", "delegation", "waiting", "endpoint", "token", "account",
    "webhook", "drift", "announcement",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_what_one_has_is_not_sent_again(things: Things, name: str) -> None:
    who, path = things.places[name]
    tag = things.tag(name)
    answer = send(things.site, who, "get", path, None, **{"If-None-Match": tag})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    assert "Content-Type" not in answer.headers
    assert answer.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"a", {tag} ,"b"', 304),
        (",,{tag},", 304),
        ("*", 304),
        ('"a"', 200),
        ('"1.0000000000000000"', 200),
        ("", 200),
        ("no tag", 200),
        ("{tag} {tag}", 200),
        ('"unfinished', 200),
        ('w/"a"', 200),
    ],
)
def test_if_none_match_is_compared_weakly_and_what_is_none_matches_nothing(
    things: Things, written: str, status: int
) -> None:
    who, path = things.places["request"]
    headers = {"If-None-Match": written.format(tag=things.tag("request"))}
    assert send(things.site, who, "get", path, None, **headers).status_code == status


def test_a_tag_is_another_one_once_anything_else_is_shown(things: Things) -> None:
    """The version stays, as nobody edited it: what was read is known to be old all the same."""
    before, other = things.tag("request"), submit(things.site, {"geneva.compute-a.ram": 2**30})
    QuotaRequest.objects.filter(pk=things.request.pk).update(reason="Another one")
    after = things.tag("request")
    assert before != after
    assert before.split(".")[0] == after.split(".")[0]
    tag = caller(things.site, "dana").get(f"requests/{other.pk}/").headers["ETag"]
    assert tag not in (before, after)


def test_a_list_has_no_tag(things: Things) -> None:
    answer = send(things.site, "dana", "get", "requests/", None, **{"If-None-Match": "*"})
    assert (answer.status_code, "ETag" in answer.headers) == (200, False)


def _approve(things: Things, *, version: int | None, written: str | None) -> "Answer":
    body = approval(things.site, things.request)
    del body["version"]
    if version is not None:
        body["version"] = version
    headers = {} if written is None else {"If-Match": written}
    path = f"requests/{things.request.pk}/approve/"
    return send(things.site, "dana", "post", path, body, **headers)


NOW_TAG, OLD_TAG = "{tag}", '"7.0123456789abcdef"'


@pytest.mark.parametrize(
    ("version", "written", "expected"),
    [
        (None, NOW_TAG, 200),
        (None, '"1.ffffffffffffffff"', 200),
        (None, f"{OLD_TAG}, {NOW_TAG}", 200),
        (1, None, 200),
        (1, NOW_TAG, 200),
        (1, "*", 200),
        (None, None, (428, "precondition_required")),
        (None, "*", (428, "precondition_required")),
        (None, OLD_TAG, (412, "stale")),
        (None, f"W/{NOW_TAG}", (412, "stale")),
        (None, '"of-somebody-else"', (412, "stale")),
        (7, None, (412, "stale")),
        (7, OLD_TAG, (412, "stale")),
        (1, f"W/{NOW_TAG}", (412, "stale")),
        (1, OLD_TAG, (422, "invalid")),
        (7, NOW_TAG, (422, "invalid")),
        (None, "1", (422, "invalid")),
        (None, '"1', (422, "invalid")),
        (None, "", (422, "invalid")),
        (1, "no tag", (422, "invalid")),
    ],
)
def test_a_decision_is_about_the_version_that_was_seen(
    things: Things, version: int | None, written: str | None, expected: int | tuple[int, str]
) -> None:
    if written is not None:
        written = written.format(tag=things.tag("request"))
    answer = _approve(things, version=version, written=written)
    if isinstance(expected, int):
        assert answer.status_code == expected, answer.content
        return
    assert refusal(answer) == expected
    assert things.request.lines.get().state == "open"
    if expected[0] == 412:
        assert answer.json()["facts"]["version"] == 1


def test_what_was_decided_meanwhile_is_stale_by_its_tag(things: Things) -> None:
    tag, alice = things.tag("request"), caller(things.site, "alice")
    body = {"lines": {VCPU: 90}, "version": 1}
    amended = alice.post(f"requests/{things.request.pk}/amend/", body)
    assert refusal(_approve(things, version=None, written=tag)) == (412, "stale")
    answer = _approve(things, version=None, written=amended.headers["ETag"])
    assert answer.status_code == 200


def needing(things: Things) -> list[tuple[str, str, dict[str, Any]]]:
    """(who, path, body) of everything else that is refused without a version."""
    request, policy = f"requests/{things.request.pk}/", f"policies/{things.policy.pk}/"
    line = things.request.lines.get().pk
    terms = {"direction": "increase", "resource": "vcpu", "most_amount": 8}
    return [
        ("alice", f"{request}amend/", {"lines": {VCPU: 90}}),
        ("alice", f"{request}answer/", {"text": "Because"}),
        ("dana", f"{request}decline/", {"lines": [line], "reason": "No"}),
        ("dana", f"{request}return/", {"lines": [line], "reason": "Why?"}),
        ("dana", f"{request}endorse/", {"endorsed": {line: 90}}),
        ("dana", f"{policy}revise/", {"name": "Smaller", "terms": terms}),
        ("dana", f"{policy}switch-on/", {}),
        ("otto", f"announcements/{things.announcement.pk}/schedule/", {}),
    ]


def test_whatever_decides_or_rewrites_asks_for_a_version(things: Things) -> None:
    for who, path, body in needing(things):
        answer = caller(things.site, who).post(path, body)
        assert refusal(answer) == (428, "precondition_required"), path
        old = send(things.site, who, "post", path, body, **{"If-Match": OLD_TAG})
        assert refusal(old)[0] in (409, 412), path


def test_a_rule_is_revised_by_the_tag_that_was_read(things: Things) -> None:
    path = f"policies/{things.policy.pk}/"
    terms = {"direction": "increase", "resource": "vcpu", "most_amount": 8}
    body, tag = {"name": "Smaller", "terms": terms}, things.tag("policy")
    first, again = (
        send(things.site, "dana", "post", f"{path}revise/", body, **{"If-Match": tag})
        for _time in "12"
    )
    assert (first.status_code, refusal(again)) == (200, (412, "stale"))
    assert first.headers["ETag"] == things.tag("policy")
    assert again.json()["facts"]["version"] == 2


def change(things: Things, name: str, verb: str, **body: Any) -> tuple[str, str, str, Any]:
    """(who, method, path, body) of a verb on one of the things."""
    who, path = things.places[name]
    return who, "post", f"{path}{verb}", body


def checking(things: Things) -> list[tuple[str, str, str, str, Any]]:
    """(what has the tag, who, method, path, body) of what does without one, and looks at it."""
    request, draft = f"requests/{things.request.pk}/", f"requests/{things.draft.pk}/"
    delegation = f"delegations/{things.handed.pk}/"
    wish = {"lines": {VCPU: 8}, "reason": "Run 5"}
    words = {"reason": "Upgrade"}
    seen = {"seen": seen_of(things.handed, timezone.now()), "reason": "tests"}
    today = str(timezone.localdate())
    return [
        ("draft", "alice", "put", draft, wish),
        ("draft", "alice", "delete", draft, {}),
        ("request", "alice", "post", f"{request}withdraw/", {}),
        ("policy", "dana", "post", f"policies/{things.policy.pk}/switch-off/", {}),
        ("delegation", "dana", "post", f"{delegation}revoke/", seen),
        ("waiting", "dana", "put", "units/atlas/waiting/",
         {"remind_after_days": 2, "escalate_after_days": 5}),
        ("endpoint", "otto", "post", "endpoints/nova-geneva/pause/", words),
        ("endpoint", "otto", "post", "endpoints/nova-geneva/resume/", {}),
        ("endpoint", "otto", "post", "endpoints/nova-geneva/restrict/", words),
        ("announcement", *change(things, "announcement", "withdraw/")),
        ("webhook", *change(things, "webhook", "switch-off/")),
        ("token", *change(things, "token", "rotate/", overlap_hours=1)),
        ("token", *change(things, "token", "revoke/")),
        ("account", "erin", *change(things, "account", "take-over/")[1:]),
        ("account", *change(things, "account", "close/")),
        ("drift", *change(things, "drift", "restore/")),
        ("drift", *change(things, "drift", "ignore/", until_on=today, reason="tests")),
    ]  # fmt: skip


def test_if_match_is_looked_at_wherever_something_is_changed(things: Things) -> None:
    for name, who, method, path, body in checking(things):
        old = send(things.site, who, method, path, body, **{"If-Match": OLD_TAG})
        assert refusal(old) == (412, "stale"), path
        none = send(things.site, who, method, path, body, **{"If-Match": "1"})
        assert refusal(none) == (422, "invalid"), path
        tag = things.tag(name)
        answer = send(things.site, who, method, path, body, **{"If-Match": tag})
        assert answer.status_code in (200, 201, 204), (path, answer.content)
        if answer.status_code == 200:
            assert answer.headers["ETag"] != tag


def test_a_draft_is_sent_by_the_tag_that_was_read(things: Things) -> None:
    requests = f"requests/{things.request.pk}/"
    assert caller(things.site, "alice").post(f"{requests}withdraw/").status_code == 200
    path, tag = f"requests/{things.draft.pk}/submit/", things.tag("draft")
    old = send(things.site, "alice", "post", path, {}, **{"If-Match": OLD_TAG})
    assert refusal(old) == (412, "stale")
    assert send(
        things.site, "alice", "post", path, {}, **{"If-Match": tag}
    ).status_code == 200  # fmt: skip


def test_what_was_set_meanwhile_is_found_inside_the_lock(site: Site) -> None:
    unit = site.units["atlas"]
    set_waiting(
        unit=unit, remind_after_days=2, escalate_after_days=5, seen=(None, None), actor=site.dana,
        now=NOW,
    )  # fmt: skip
    with pytest.raises(Stale) as refused:
        set_waiting(
            unit=unit, remind_after_days=3, escalate_after_days=9, seen=(None, None),
            actor=site.dana, now=NOW,
        )  # fmt: skip
    assert refused.value.facts == {"remind": 2, "escalate": 5}


def test_what_was_said_of_a_service_meanwhile_is_found_inside_the_lock(site: Site) -> None:
    nova = site.endpoints["nova-geneva"]
    words: dict[str, Any] = {"until": None, "actor": site.otto, "now": NOW}
    pause(endpoint=nova, reason="Upgrade", last=0, **words)
    said = last_word(nova)
    with pytest.raises(Stale) as refused:
        resume(endpoint=nova, last=0, actor=site.otto, now=NOW)
    assert refused.value.facts == {"seen": said}
    resume(endpoint=nova, last=said, actor=site.otto, now=NOW)
