"""A decision needs no broker: it is answered while the broker is away, applied when it is back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from contrib.testing.clouds import SandboxSite
from portal.lib.servers import Servers
from portal.testing.servers import DatabaseCopy
from quotas.models import Decision, Delivery
from quotas.tests.stage import PASSWORD, Stage, staged


class Caller:
    """Somebody at the API, signed in as the pages sign in."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.session = requests.Session()
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": self._token()}
        answer = self.session.post(f"{url}/sign-in/", data=form, timeout=30)
        assert answer.url == f"{url}/", answer.url

    def _token(self) -> str:
        self.session.get(f"{self.url}/sign-in/", timeout=30)
        return self.session.cookies["csrf"] or ""

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        # No test waits longer than this for a broker that never answers.
        return self.session.post(
            f"{self.url}/api/v1/{path}", json=body, timeout=20,
            headers={"X-CSRFToken": self.session.cookies["csrf"] or ""},
        )  # fmt: skip


@pytest.fixture
def stage(
    sandbox_site: SandboxSite, database_copy: DatabaseCopy, tmp_path: Path
) -> Iterator[Stage]:
    with staged(sandbox_site, database_copy, None, tmp_path) as standing:
        yield standing


@pytest.mark.parametrize("how", ["stopped", "hanging"])
def test_a_decision_is_answered_without_the_broker_and_applied_with_it(
    stage: Stage, servers: Servers, how: str
) -> None:
    alice = Caller(stage.running.url, "alice")
    dana = Caller(stage.running.url, "dana")
    vcpu = f"{stage.region(0)}.compute-a.vcpu"
    if how == "stopped":
        servers.broker.stop()
    else:
        servers.broker.suspend()
    try:
        wish = {"project": "telescope", "lines": {vcpu: 24}, "reason": "Comets"}
        asked = alice.post("requests/", wish)
        assert asked.status_code == 201, asked.text
        line = str(asked.json()["lines"][0]["id"])
        answer = dana.post(
            f"requests/{asked.json()['id']}/approve/",
            {"granted": {line: 24}, "seen": {line: 0}, "version": asked.json()["version"]},
        )
        assert answer.status_code == 200, answer.text
        assert Decision.objects.count() == 1
        assert Delivery.objects.get().applied_at is None
    finally:
        if how == "stopped":
            servers.broker.start()
        else:
            servers.broker.resume()
    stage.wait_for(lambda: Delivery.objects.get().applied_at is not None, "applied")
    limits = stage.cloud.plain.compute_limits(stage.region(0), stage.external_id)
    assert limits["cores"] == 24
