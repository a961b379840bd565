"""The verdict of a soak tells every kind of difference: one that cannot fail proves nothing."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from contrib.sandbox.control import RunningSandbox
from contrib.soak import compare, records
from contrib.soak.clouds import SandboxCloud
from contrib.soak.figures import Figures
from contrib.soak.notes import Fate, Note
from contrib.soak.watch import Watcher
from contrib.testing.plain import PlainClient
from portal.testing.servers import DatabaseCopy
from quotas.actions import decide
from quotas.delivery.converge import converge
from quotas.models import Decision, DecisionLine, ProjectHandle, Reading, Target
from quotas.states import TargetState
from quotas.tests.site import NOW, Site, make_site
from quotas.tests.test_decide import ask


@pytest.fixture
def standing(
    database_copy: DatabaseCopy, sandbox: RunningSandbox, settings: Settings
) -> Iterator[Site]:
    """Alice asked for 100 vCPU, Dana granted them, and the cloud has them."""
    settings.CLOUDS_YAML = str(sandbox.clouds_yaml)
    site = make_site(NOW)
    asked = ask(site)
    line = asked.lines.get()
    decide.approve(
        quota_request=asked, granted={line.pk: 100}, seen={line.pk: 0}, version=asked.version,
        reason="granted once", actor=site.dana, now=NOW,
    )  # fmt: skip
    for endpoint in ("keystone", "nova-geneva", "cinder-geneva"):
        converge(Target.objects.get(endpoint__slug=endpoint).pk)
    assert not Target.objects.exclude(state=TargetState.APPLIED).exists()
    yield site
    sandbox.delete_project(ProjectHandle.objects.get().external_id)


@pytest.fixture
def link(standing: Site, database_copy: DatabaseCopy) -> Iterator[psycopg.Connection]:
    """The soak's own way into the database."""
    with psycopg.connect(database_copy.url, autocommit=True) as found:
        yield found


@pytest.fixture
def cloud(sandbox: RunningSandbox, tmp_path: Path) -> SandboxCloud:
    """The soak's way to the sandbox of the test."""
    found = SandboxCloud(tmp_path, Counter(), Counter())
    found.clouds_yaml = sandbox.clouds_yaml
    found._sandbox = sandbox
    return found


def notes() -> dict[str, Note]:
    """What the two of them wrote down: the decision, and the request that it is about."""
    line = DecisionLine.objects.select_related("decision__request").get()
    asked, decision = line.decision.request, line.decision
    return {
        asked.reason: Note(
            asked.reason, "ask", "alice", fate=Fate.ACCEPTED, status=201, answer_id=asked.pk
        ),
        decision.reason: Note(
            decision.reason, "approve", "dana", asked.pk, {line.line_id: line.granted or 0},
            fate=Fate.ACCEPTED, status=200, answer_id=decision.pk,
        ),
    }  # fmt: skip


def differences(link: psycopg.Connection, cloud: SandboxCloud, told: dict[str, Note]) -> list[str]:
    compared: Counter[str] = Counter()
    found = [
        *compare.notes_and_ledger(link, told, compared),
        *compare.decisions_and_transfers(link, told, compared),
        *compare.balances(link, compared),
        *compare.projects_in_cloud(link, cloud, compared),
        *compare.targets_and_cloud(link, cloud, compared),
    ]
    assert compared["granted lines"] > 0
    assert compared["limits in the cloud"] > 0
    return found


def refuse_nova(code: str) -> None:
    Target.objects.filter(endpoint__slug="nova-geneva").update(
        state=TargetState.REFUSED, error_code=code, next_try_at=Now()
    )


def test_what_agrees_has_no_difference(link: psycopg.Connection, cloud: SandboxCloud) -> None:
    assert differences(link, cloud, notes()) == []


def test_an_accepted_decision_that_is_lost_is_told(
    link: psycopg.Connection, cloud: SandboxCloud
) -> None:
    told = notes() | {"m9": Note("m9", "approve", "dana", fate=Fate.ACCEPTED, answer_id=99)}
    (difference,) = differences(link, cloud, told)
    assert "m9" in difference
    assert "answered as 99 and is in the database as []" in difference


def test_a_refused_decision_that_was_booked_is_told(
    link: psycopg.Connection, cloud: SandboxCloud
) -> None:
    told = notes()
    told["granted once"].fate = Fate.REFUSED
    (difference,) = differences(link, cloud, told)
    assert "is in the database all the same" in difference


def test_a_decision_on_old_figures_that_was_booked_is_told(
    link: psycopg.Connection, cloud: SandboxCloud
) -> None:
    told = notes()
    told["granted once"].is_stale = True
    (difference,) = differences(link, cloud, told)
    assert "rested on figures that were wrong" in difference


def test_a_decision_that_nobody_sent_is_told(link: psycopg.Connection, cloud: SandboxCloud) -> None:
    told = notes()
    del told["granted once"]
    (difference,) = differences(link, cloud, told)
    assert "was sent by nobody" in difference


def test_a_decision_booked_twice_is_told(link: psycopg.Connection, cloud: SandboxCloud) -> None:
    told = notes()
    line = DecisionLine.objects.get()
    again = Decision.objects.get()
    again.pk = None
    again.save()
    line.pk, line.decision = None, again
    line.save()
    found = differences(link, cloud, told)
    assert any("is in the database 2 times" in each for each in found)
    assert any("was granted by 2 decisions" in each for each in found)
    assert any("moved 0, not 100" in each for each in found)


def test_a_balance_that_is_not_what_was_granted_is_told(
    link: psycopg.Connection, cloud: SandboxCloud
) -> None:
    link.execute("UPDATE quotas_account SET balance = 99 WHERE holder = 'project'")
    found = differences(link, cloud, notes())
    assert any("the last decision granted 100" in each for each in found)
    assert any("cores is 100, and 99 by the ledger" in each for each in found)


def test_a_target_that_is_not_settled_is_told(
    link: psycopg.Connection, cloud: SandboxCloud
) -> None:
    refuse_nova("forbidden")
    (difference,) = differences(link, cloud, notes())
    assert "nova-geneva is refused (forbidden)" in difference


def test_a_refusal_whose_reason_is_not_true_is_told(
    link: psycopg.Connection, cloud: SandboxCloud
) -> None:
    refuse_nova("below_usage")
    (difference,) = differences(link, cloud, notes())
    assert "and nothing is" in difference


def test_unlimited_is_told_unless_it_was_so_before_a_first_write(
    link: psycopg.Connection, cloud: SandboxCloud
) -> None:
    external_id = ProjectHandle.objects.get().external_id
    plain = PlainClient(cloud.clouds_yaml, cloud.cloud)
    body = {"quota_set": {"cores": -1}}
    plain.done("PUT", "compute", f"/os-quota-sets/{external_id}", body, region="geneva")
    cloud._sandbox.set_usage(external_id, "geneva", "compute", {"cores": 101})
    refuse_nova("below_usage")
    (difference,) = differences(link, cloud, notes())
    assert "cores is -1, and 100 by the ledger" in difference
    Reading.objects.filter(limit__key="cores").update(written=None)
    assert differences(link, cloud, notes()) == []


def test_a_second_project_in_the_cloud_is_told(
    link: psycopg.Connection, cloud: SandboxCloud
) -> None:
    plain = PlainClient(cloud.clouds_yaml, cloud.cloud)
    (project,) = records.projects(link)
    body = {"project": {"name": "twin", "domain_id": "default", "tags": [project.tag]}}
    twin = plain.done("POST", "identity", "/projects", body)["project"]["id"]
    (difference,) = differences(link, cloud, notes())
    plain.done("DELETE", "identity", f"/projects/{twin}")
    assert twin in difference


def test_a_limit_that_is_called_applied_and_is_not_is_told_while_it_runs(
    link: psycopg.Connection, cloud: SandboxCloud, database_copy: DatabaseCopy
) -> None:
    figures = Figures(seed=1, minutes=1, cloud="sandbox", cpus=1)
    watcher = Watcher(database_copy.url, cloud, figures)
    watcher.sample(link)
    assert (figures.claims_checked, watcher.false_claims) == (1, [])
    external_id = ProjectHandle.objects.get().external_id
    plain = PlainClient(cloud.clouds_yaml, cloud.cloud)
    body = {"quota_set": {"cores": 7}}
    plain.done("PUT", "compute", f"/os-quota-sets/{external_id}", body, region="geneva")
    watcher.sample(link)
    (claim,) = watcher.false_claims
    assert "cores of atlas-reco at nova-geneva is 7, claimed 100" in claim


def test_what_is_not_called_applied_is_no_claim(link: psycopg.Connection) -> None:
    assert len(records.claims(link)) == 1
    link.execute("UPDATE quotas_delivery SET applied_at = NULL")
    assert records.claims(link) == {}
