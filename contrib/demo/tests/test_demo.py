"""The demo site: everything a page could show is there, made by the verbs themselves."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from contrib.demo.cloud import find_sandbox
from contrib.demo.usage import DAYS, Usage
from contrib.sandbox.control import running_sandbox
from projects.models import Event, Project, User
from projects.queries.viewers import Viewer, visible_projects
from quotas.backends import EndpointConfig
from quotas.backends.keystone import KeystoneDriver
from quotas.backends.nova import NovaDriver
from quotas.models import Decision, Limit, Loan, QuotaRequest, UsagePeak
from quotas.queries.accounts import audit
from quotas.queries.requests import queue, states_of
from quotas.states import RequestState


def load_demo() -> str:
    said = io.StringIO()
    call_command("load_demo", stdout=said, stderr=said)
    return said.getvalue()


def viewer(subject: str) -> Viewer:
    return Viewer.of(User.objects.local(subject), timezone.now())


def test_demo_has_something_for_everybody(db: None) -> None:
    said = load_demo()

    assert said.startswith("Loaded 12 projects, 34 requests")
    assert len(queue(viewer("dana"))) >= 5
    assert [len(queue(viewer(name))) for name in ("erin", "hugo", "jonas")] == [1, 1, 1]
    assert {name: visible_projects(viewer(name)).count() for name in ("mallory", "audrey")} == {
        "mallory": 0,
        "audrey": 12,
    }
    states = set(states_of(QuotaRequest.objects.all()).values())
    assert states == set(RequestState) - {RequestState.APPLIED}  # no worker ran
    assert {each.kind for each in Decision.objects.all()} == {"approve", "decline", "return"}
    assert Loan.objects.filter(outstanding__gt=0, ends_at__gt=timezone.now()).exists()
    assert User.objects.local("alice").check_password("remit-demo")


def test_demo_ledger_adds_up(db: None) -> None:
    load_demo()

    assert audit() == []


def test_demo_lies_in_the_past_and_grows_with_time(db: None) -> None:
    load_demo()

    assert not Event.objects.filter(at__gt=timezone.now()).exists()
    sent = list(
        QuotaRequest.objects.filter(submitted_at__isnull=False)
        .order_by("pk")
        .values_list("submitted_at", flat=True)
    )
    assert sent == sorted(sent)


def test_demo_can_be_asked_for_the_story(db: None) -> None:
    """Alice asks for compute and storage of the README's story: nothing of it is pending."""
    load_demo()

    pending = QuotaRequest.objects.filter(project__slug="atlas-reco", lines__state="open")
    assert not pending.exists()


def test_demo_twice_changes_nothing(db: None) -> None:
    load_demo()
    count = Event.objects.count()

    said = load_demo()

    assert said == "The demo is here already; nothing was changed.\n"
    assert Event.objects.count() == count


def test_demo_beside_another_site_is_refused(db: None) -> None:
    User.objects.create(subject="somebody")

    with pytest.raises(CommandError, match="for an empty one"):
        load_demo()

    assert not Project.objects.exists()


@pytest.mark.parametrize(("name", "value"), [("IS_PRODUCTION", True), ("LOCAL_ACCOUNTS", False)])
def test_demo_in_production_is_refused(db: None, settings: Any, name: str, value: bool) -> None:
    setattr(settings, name, value)

    with pytest.raises(CommandError, match="not loaded into a production site"):
        load_demo()

    assert not User.objects.exists()


def test_demo_keeps_peaks_of_every_day_within_the_limit(db: None) -> None:
    load_demo()

    cores = Limit.objects.get(endpoint__slug="nova-geneva", key="cores")
    peaks = UsagePeak.objects.filter(target__project__slug="atlas-reco", limit=cores)
    assert peaks.count() == DAYS
    assert max(peaks.values_list("day", flat=True)) == timezone.localdate() - timedelta(days=1)
    assert all(0 < each.used <= (each.limit_seen or 0) for each in peaks)
    # The limit of each day is what the ledger says of it: it rose by decisions.
    assert len({each.limit_seen for each in peaks}) > 1


def test_demo_uses_the_sandbox(db: None, settings: Any, tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as sandbox:
        settings.SANDBOX, settings.CLOUDS_YAML = True, str(sandbox.clouds_yaml)

        said = load_demo()

        assert said.endswith("12 projects use the sandbox cloud.\n")
        project = Project.objects.get(slug="atlas-reco")
        config = EndpointConfig(
            slug="x", driver="", cloud="sandbox", region_name="geneva",
            clouds_file=str(sandbox.clouds_yaml),
        )  # fmt: skip
        found = KeystoneDriver(config).find(project.tag, timeout=10)
        assert found is not None
        figures = NovaDriver(config).read(found.external_id, timeout=10)
        wanted = {
            endpoint.slug: used
            for pk, endpoint, used in Usage(timezone.now()).now_by_endpoint()
            if pk == project.pk
        }["nova-geneva"]
        assert {key: figure.used for key, figure in figures.items()} == wanted


def test_demo_replaces_what_an_earlier_demo_left_in_the_sandbox(
    db: None, settings: Any, tmp_path: Path
) -> None:
    with running_sandbox(tmp_path) as sandbox:
        settings.SANDBOX, settings.CLOUDS_YAML = True, str(sandbox.clouds_yaml)
        config = EndpointConfig(
            slug="x", driver="", cloud="sandbox", clouds_file=str(sandbox.clouds_yaml)
        )
        KeystoneDriver(config).create(
            name="atlas-reco", description="", tag="remit:another", timeout=10
        )

        load_demo()

        tag = Project.objects.get(slug="atlas-reco").tag
        assert KeystoneDriver(config).find(tag, timeout=10) is not None


def test_demo_without_a_sandbox_says_so(db: None, settings: Any, tmp_path: Path) -> None:
    settings.SANDBOX, settings.CLOUDS_YAML = True, str(tmp_path / "none.yaml")

    assert load_demo().endswith("No sandbox cloud is running here, so nothing is in use yet.\n")
    assert find_sandbox(tmp_path / "none.yaml") is None
