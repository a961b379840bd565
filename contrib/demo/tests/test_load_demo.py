"""Loading the demo: once, into an empty database, never in production; and the sandbox."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from contrib.demo.cloud import find_sandbox
from contrib.demo.usage import Usage
from contrib.sandbox.control import running_sandbox
from projects.models import Event, Project, User
from quotas.backends import EndpointConfig
from quotas.backends.keystone import KeystoneDriver
from quotas.backends.nova import NovaDriver
from quotas.delivery.converge import converge
from quotas.models import Delivery, Drift, Target
from quotas.states import DriftKind, TargetState


def load_demo() -> str:
    said = io.StringIO()
    call_command("load_demo", stdout=said, stderr=said)
    return said.getvalue()


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


def test_demo_uses_the_sandbox_and_replaces_an_earlier_one(
    db: None, settings: Any, tmp_path: Path
) -> None:
    with running_sandbox(tmp_path) as sandbox:
        settings.SANDBOX, settings.CLOUDS_YAML = True, str(sandbox.clouds_yaml)
        config = EndpointConfig(
            slug="x",
            driver="",
            cloud="sandbox",
            region_name="geneva",
            clouds_file=str(sandbox.clouds_yaml),
        )
        identity = KeystoneDriver(config)
        identity.create(name="atlas-reco", description="", tag="remit:another", timeout=10)

        said = load_demo()

        assert said.endswith("12 projects use the sandbox cloud.\n")
        project = Project.objects.get(slug="atlas-reco")
        found = identity.find(project.tag, timeout=10)
        assert found is not None
        figures = NovaDriver(config).read(found.external_id, timeout=10)
        wanted = {
            endpoint.slug: used
            for pk, endpoint, used in Usage(timezone.now()).now_by_endpoint()
            if pk == project.pk
        }["nova-geneva"]
        assert {key: figure.used for key, figure in figures.items()} == wanted
        (drift,) = Drift.objects.all()
        assert (drift.target.project.slug, drift.kind) == ("atlas-dq", DriftKind.LIMIT_CHANGED)
        assert (drift.wanted, drift.seen) == (48, 64)
        # More is in use than was left: a worker cannot lower it, and says why.
        for endpoint in ("keystone", "cinder-geneva"):
            converge(Target.objects.get(project__slug="it-gitlab", endpoint__slug=endpoint).pk)
        full = Target.objects.get(project__slug="it-gitlab", endpoint__slug="cinder-geneva")
        assert (full.state, full.error_code) == (TargetState.REFUSED, "below_usage")
        # Only the request that wanted less is held up by that.
        held_up = Delivery.objects.filter(target=full, applied_at=None)
        assert held_up.values("decision_line__decision").distinct().count() == 1


def test_demo_twice_changes_nothing(db: None, settings: Any, tmp_path: Path) -> None:
    """And without a sandbox it says that nothing is in use."""
    settings.SANDBOX, settings.CLOUDS_YAML = True, str(tmp_path / "none.yaml")
    first = load_demo()
    count = Event.objects.count()

    again = load_demo()

    assert first.endswith("No sandbox cloud is running here, so nothing is in use yet.\n")
    assert again == "The demo is here already; nothing was changed.\n"
    assert Event.objects.count() == count


def test_find_sandbox_in_no_file(tmp_path: Path) -> None:
    assert find_sandbox(tmp_path / "none.yaml") is None
