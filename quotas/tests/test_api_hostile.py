"""What somebody sends on purpose to break the API, or to have it keep what it should not."""

import base64
import json
from typing import Any

import pytest

from quotas.tests.api import caller, refusal
from quotas.tests.site import Site


def cursor(*values: Any) -> str:
    """A cursor as the API writes them, made by hand."""
    said = json.dumps({"at": values, "back": False})
    return base64.urlsafe_b64encode(said.encode()).decode()


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
@pytest.mark.parametrize("value", ["x", "9999-12-31T23:59:59-14:00"])
def test_a_cursor_of_another_kind_of_value_is_refused(
    site_today: Site, value: str, accept: str
) -> None:
    alice = caller(site_today, "alice").client
    for path in ("requests", "webhooks", "projects/atlas-reco/usage"):
        answer = alice.get(
            f"/api/v1/{path}/", {"cursor": cursor(value)}, headers={"Accept": accept}
        )
        assert refusal(answer) == (422, "invalid")


def test_the_secret_of_a_webhook_is_kept_by_no_cache(site_today: Site) -> None:
    alice = caller(site_today, "alice")
    made = alice.post("webhooks/", {"name": "CI", "url": "https://ci.example.org/"})
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    path = f"webhooks/{made.json()['id']}/"
    rotated = alice.post(f"{path}rotate/", {})
    assert (rotated.status_code, rotated.headers["Cache-Control"]) == (200, "no-store")
    assert alice.get(path).headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("name", ["CI\u202egnp.exe", "C\u200bI", "C\u0000I", "C\ud800I", "C\nI"])
def test_a_name_of_a_webhook_that_hides_something_is_refused(site_today: Site, name: str) -> None:
    """Others read it, too: those of the project who could take it over."""
    terms = {"name": name, "url": "https://ci.example.org/", "project": "atlas-reco"}
    answer = caller(site_today, "alice").post("webhooks/", terms)
    assert refusal(answer) == (422, "invalid")
    assert {each["pointer"] for each in answer.json()["errors"]} == {"#/name"}
