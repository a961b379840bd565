"""The program against a site that runs: web, worker and a cloud, from a wish to a limit."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from contrib.testing.clouds import SandboxSite
from portal.testing.servers import DatabaseCopy
from projects.models import Delegation, User
from projects.states import TokenScope
from quotas.models import Decision, QuotaRequest
from quotas.queries.accounts import audit
from quotas.tests.stage import Stage, staged
from remit_client.tests.conftest import Ended, Terminal
from remit_client.tests.people import token_of

WANTED = """\
project: telescope
reason: First light, Übersicht
lines:
  geneva.compute-a.vcpu: {vcpu}
  geneva.storage-a.space: {space}
"""


@pytest.fixture(scope="module")
def stage(
    sandbox_site: SandboxSite,
    module_database: DatabaseCopy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """One for all tests of this file: each uses a zone or a request of its own."""
    folder = tmp_path_factory.mktemp("site")
    with staged(sandbox_site, module_database, None, folder) as standing:
        yield standing


@dataclass
class Typing:
    """Who types: `as_("dana")` is another person at the same terminal."""

    terminal: Terminal
    stage: Stage

    def __call__(self, *arguments: object, by: str = "alice", stdin: str = "") -> Ended:
        with self.as_(by):
            return self.terminal.run(*arguments, stdin=stdin)

    @contextmanager
    def as_(self, name: str, *scopes: TokenScope) -> Iterator[None]:
        self.terminal.sign_in(self.stage.running.url, token_of(name, *scopes))
        yield

    def json(self, *arguments: object, by: str = "alice") -> Any:
        ended = self(*arguments, "--json", by=by)
        assert ended.code == 0, ended.err
        return json.loads(ended.out)

    def wanted(self, vcpu: object, space: object = "2TiB") -> Path:
        return self.terminal.file("wanted.yaml", WANTED.format(vcpu=vcpu, space=space))


@pytest.fixture
def remit(terminal: Terminal, stage: Stage) -> Typing:
    return Typing(terminal, stage)


def test_a_file_becomes_true_and_applied_again_asks_for_nothing(remit: Typing) -> None:
    file = remit.wanted(64)
    tried = remit("request", "--file", file, "--dry-run")
    assert (tried.code, QuotaRequest.objects.count()) == (0, 0), tried.err
    assert "Nothing was sent." in tried.out
    assert "waits for Dana Lindqvist" in tried.out

    assert remit("request", "--file", file).code == 0
    number = QuotaRequest.objects.get().pk
    again = remit("request", "--file", file)
    assert (again.code, f"waits in #{number}" in again.out) == (0, True)
    assert QuotaRequest.objects.count() == 1

    assert str(number) in remit("queue", by="dana").out
    timed_out = remit("wait", number, "--timeout", "0")
    assert (timed_out.code, "open" in timed_out.err) == (4, True)
    decided = remit("approve", number, by="dana")
    assert (decided.code, "granted" in decided.out) == (0, True), decided.err
    waited = remit("wait", number, "--timeout", "3m")
    assert (waited.code, "applied" in waited.out) == (0, True), waited.err
    limits = remit.stage.cloud.plain.compute_limits("geneva", remit.stage.external_id)
    assert limits["cores"] == 64

    third = remit("request", "--file", file, "--wait")
    assert (third.code, third.out.count("as wanted")) == (0, 2)
    assert QuotaRequest.objects.count() == 1
    assert audit() == []


def test_a_request_is_trimmed_declined_and_what_is_missing_told(remit: Typing) -> None:
    zone = "prevessin.compute-a.vcpu"
    sent = remit.json("request", "telescope", f"{zone}=+64", "--reason", "Plates")
    number = sent[0]["answer"]["id"]
    assert remit("approve", number, "--lines", "no.such.line", by="dana").code == 2
    tried = remit("approve", number, "--lines", f"{zone}=48", "--dry-run", by="dana")
    assert (tried.code, "Nothing was decided." in tried.out) == (0, True), tried.err
    assert "granted, by the authority of Dana Lindqvist" in tried.out
    assert not Decision.objects.filter(request=number).exists()
    stale = remit("approve", number, "--version", "99", by="dana")
    assert (stale.code, stale.out.count("\n")) == (6, 2)
    assert remit("approve", number, "--lines", f"{zone}=48", by="dana").code == 0
    assert remit("approve", number, by="dana").code == 1

    other = remit.json("request", "telescope", f"{zone}=+16", "--reason", "More")
    number = other[0]["answer"]["id"]
    clash = remit("request", "telescope", f"{zone}=+17", "--reason", "Even more")
    assert (clash.code, f"#{number} asks for 64" in clash.err) == (1, True)
    declined = remit("decline", number, "--reason", "Use what you have.", by="dana")
    assert declined.code == 0, declined.err
    waited = remit("wait", number, "--json")
    assert (waited.code, json.loads(waited.out)["state"]) == (1, "declined")
    assert "It was declined." in waited.err


def test_what_comes_back_or_is_taken_back_ends_the_wait(remit: Typing) -> None:
    zone = "prevessin.storage-a.space"
    sent = remit.json("request", "telescope", f"{zone}=1TiB", "--reason", "Plates")
    number = sent[0]["answer"]["id"]
    assert remit("return", number, "--reason", "For which run?", by="dana").code == 0
    assert "came back with a question" in remit("wait", number).err
    answered = remit("answer", number, "For run 4.")
    assert (answered.code, f"#{number} of telescope: open" in answered.out) == (0, True)
    assert remit("withdraw", number).code == 0
    assert "It was withdrawn." in remit("wait", number).err


def test_refusals_are_sentences_and_codes(remit: Typing) -> None:
    missing = remit("request", "telescope", "geneva.compute-a.vcpus=1", "--reason", "x")
    assert (missing.code, "Did you mean geneva.compute-a.vcpu?" in missing.err) == (2, True)
    no_reason = remit("request", "telescope", "geneva.compute-b.vcpu=1")
    assert (no_reason.code, "reason" in no_reason.err) == (1, True)
    assert remit("project", "no-such-project").code == 1
    with remit.as_("alice", TokenScope.READ):
        ended = remit.terminal.run("request", "telescope", "geneva.compute-b.vcpu=1",
                                   "--reason", "x")  # fmt: skip
    assert (ended.code, "no scope" in ended.err) == (1, True)
    remit.terminal.monkeypatch.setenv("REMIT_TOKEN", "remit_nobody_nothing")
    assert remit.terminal.run("projects").code == 3


def test_a_mistake_in_the_last_document_sends_nothing(remit: Typing) -> None:
    before = QuotaRequest.objects.count()
    text = WANTED.format(vcpu=500, space="9TiB") + "---\nproject: telescope\nlines: {x: 1}\n"
    ended = remit("request", "--file", "-", stdin=text)
    assert (ended.code, "x: there is no such offering" in ended.err) == (2, True)
    assert QuotaRequest.objects.count() == before


def test_reading(remit: Typing) -> None:
    assert remit.json("projects")[0]["slug"] == "telescope"
    assert "geneva.storage-a.space     1 GiB" in remit("offerings", "space").out
    assert "Alice Meyer" in remit("whoami").out
    assert "telescope" in remit("projects").out
    assert remit("project", "telescope").code == 0
    alice = User.objects.get(subject="alice").public_id
    assert f"person:{alice}" in remit("members", "telescope").out
    assert remit("requests", "--of", "mine", "--stage", "waiting").code == 0
    assert remit("delegations", by="dana").code == 0


def test_explain_tells_the_decider_what_the_most_is(remit: Typing) -> None:
    by_dana = remit("explain", "telescope", "geneva.compute-a.vcpu", by="dana")
    assert (by_dana.code, "can be granted" in by_dana.out) == (0, True)
    told = remit.json("explain", "telescope", "geneva.compute-a.vcpu")
    assert told["verb"] == "ask"


def test_authority_is_handed_on_within_what_one_holds(remit: Typing) -> None:
    parent = Delegation.objects.get(user__subject="dana")
    erin = User.objects.get(subject="erin").public_id
    terms = remit.terminal.file(
        "terms.yaml",
        f"parent: {parent.pk}\ndelegate: person:{erin}\nunit: cm\npowers: [decide quota]\n"
        f"ends_at: {timezone.now() + timedelta(days=90):%Y-%m-%dT00:00:00Z}\n"
        "bounds:\n  - {resource: space, per_decision: 10TiB, total: 40TiB, period_days: 365}\n",
    )
    before = Delegation.objects.count()
    tried = remit("delegate", "--file", terms, "--dry-run", by="dana")
    assert (tried.code, "Nothing was handed on." in tried.out) == (0, True), tried.err
    assert Delegation.objects.count() == before
    made = remit("delegate", "--file", terms, "--bound", "vcpu:per_decision=64", by="dana")
    assert made.code == 0, made.err
    child = Delegation.objects.get(parent=parent)
    assert list(child.bounds.values_list("resource__slug", "per_decision")) == [("vcpu", 64)]
    beyond = remit("delegate", "--file", terms, "--depth", "99", by="dana")
    assert (beyond.code, "depth" in beyond.err) == (1, True)
    assert remit("delegate", "--file", terms, by="alice").code == 1


def test_a_project_is_asked_for_opened_and_lasts_longer(remit: Typing) -> None:
    nils = User.objects.create(subject="nils", name="Nils Berg")
    file = remit.terminal.file(
        "project.yaml",
        "name: Sky survey\npurpose: Plates of the southern sky\nunit: cm\nmembers:\n"
        f"  - {{who: 'person:{nils.public_id}', role: reader}}\n"
        "lines: {geneva.compute-a.vcpu: 4}\n",
    )
    tried = remit("project", "new", "--file", file, "--dry-run")
    assert (tried.code, "Nothing was sent." in tried.out) == (0, True), tried.err
    made = remit.json("project", "new", "--file", file)
    assert (made["state"], made["request"]["state"]) == ("proposed", "open")
    decided = remit("approve", made["request"]["id"], by="dana")
    assert decided.code == 0, decided.err
    slug, day = made["slug"], f"{timezone.localdate() + timedelta(days=900)}"
    assert remit("members", slug, "--set", f"person:{nils.public_id}=member").code == 0
    asked = remit("project", "extend", slug, day, "--reason", "Ten years of plates")
    assert (asked.code, "waits for a yes" in asked.out) == (0, True), asked.err
    (change,) = remit.json("changes", "--project", slug)
    assert [each["id"] for each in remit.json("changes", "--mine", by="dana")] == [change["id"]]
    assert remit("change", "accept", change["id"]).code == 1
    assert remit("change", "accept", change["id"], by="dana").code == 0
    assert remit.json("project", slug)["ends_on"] == day
