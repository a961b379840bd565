"""Every page of the demo site, as people see it: axe finds nothing, and pictures to look at.

Wide and light, wide and dark, narrow. Pictures go to test-results/pictures, but for those of a
run that several processes share (`make test`), where only what is wrong is kept; with PICTURES
set to a folder those that the README shows go there too (`make pictures`).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from django.db.models import Q
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, expect

from contrib.sandbox.control import RunningSandbox, running_sandbox
from portal.testing.browser import PICTURES, Person
from portal.testing.processes import ROOT, RunningSite, running_site
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from projects.models import User
from quotas.models import Target
from quotas.states import TargetState
from quotas.tests.access.samples import SAMPLES
from quotas.tests.looks import LOOKS

pytestmark = [pytest.mark.needs("chromium", "axe")]
# Answers of GET that are no pages: a fragment, health, and addresses that only take a form.
NO_PAGES = {
    "request_progress", "job_progress", "target_plan", "livez", "readyz", "metrics",
    "sign_in_begin", "sign_in_return", "project_name",
}  # fmt: skip
# What the README shows.
SHOWN = (
    "home", "request_new", "decide", "request_detail", "project_detail", "queue", "remit",
    "coverage", "problem_list", "drift_list",
)  # fmt: skip

# Without motion, so that nothing is looked at on its way from light to dark.
LOOK: dict[str, Any] = {"locale": "en-GB", "reduced_motion": "reduce"}


@dataclass(frozen=True)
class View:
    """How a page is looked at; `name` is in the name of its picture."""

    name: str
    width: int
    height: int
    colours: Literal["light", "dark"] = "light"
    is_touched: bool = False


# A page is loaded once and looked at in one way after the other: nothing in it asks at its
# beginning how it is looked at.
VIEWS = (
    View("1280", 1280, 900),
    View("dark", 1280, 900, "dark"),
    View("360", 360, 780, is_touched=True),
)
IS_SHARED = "PYTEST_XDIST_WORKER" in os.environ


@pytest.fixture(scope="module")
def sandbox_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """The demo's projects have the names of other tests' projects, and stay."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def demo(
    module_database: DatabaseCopy, sandbox_of_its_own: RunningSandbox
) -> Iterator[RunningSite]:
    """The demo site, its projects in the sandbox, all its targets true.

    Nobody works any more, so that what a look is prepared with stays as it is.
    """
    own = {"SANDBOX": "on", "CLOUDS_YAML": str(sandbox_of_its_own.clouds_yaml)}
    subprocess.run(
        [sys.executable, "manage.py", "load_demo"], cwd=ROOT, check=True, timeout=120,
        env={**os.environ, **module_database.environment, **own},
    )  # fmt: skip
    # Long enough that what was read is still fresh when it is looked at.
    observed = {"OBSERVE_SECONDS": "3600"}
    with running_site(module_database, sandbox_of_its_own.clouds_yaml, **observed) as running:
        workers = (running.start_worker(), running.start_beat())
        running.start_web()
        wait_until(
            lambda: not Target.objects.exclude(
                Q(state=TargetState.APPLIED) | Q(error_code="below_usage")
            ).exists(),
            150, "all targets of the demo are applied, but for the one that is too full",
        )  # fmt: skip
        for process in workers:
            process.stop()
        yield running


def test_every_page_has_a_look() -> None:
    pages = {
        name
        for name, samples in SAMPLES.items()
        if not name.startswith("api_") and any(each.method == "GET" for each in samples)
    }
    assert pages - NO_PAGES == set(LOOKS)


def test_axe_finds_nothing_on_any_page(demo: RunningSite, browser: Browser) -> None:
    found: dict[str, list[str]] = {}
    people: dict[str, Person] = {}
    for name, look in LOOKS.items():
        if look.who not in people:
            people[look.who] = _person(browser, demo, look.who)
        person = people[look.who]
        answer = person.page.goto(reverse(name, kwargs=look.kwargs()) + look.query)
        assert answer is not None
        assert answer.status == 200, name
        for view in VIEWS:
            found[f"{name} {view.name}"] = _looked_at(person, view, f"{name}-{view.name}")
    for person in people.values():
        person.close()
    assert {where: what for where, what in found.items() if what} == {}
    _keep_for_the_readme()


def test_a_row_of_the_queue_is_decided_in_place(demo: RunningSite, browser: Browser) -> None:
    dana = _person(browser, demo, "dana")
    dana.page.goto(reverse("queue"))
    dana.page.get_by_text("Decide here").first.click()
    expect(dana.page.get_by_label("Question or reason").first).to_be_visible()
    for view in VIEWS:
        assert _looked_at(dana, view, f"queue-opened-{view.name}") == []
    dana.close()


def _person(browser: Browser, demo: RunningSite, name: str) -> Person:
    """Somebody of the demo in a window of their own; nobody yet where the name is empty."""
    person = Person(browser, demo.url, **LOOK)
    if name:
        session = Client()
        session.force_login(User.objects.get(subject=name))
        person.signed_in(session)
    return person


def _looked_at(person: Person, view: View, picture: str) -> list[str]:
    """What is wrong with the page as it is, in this view."""
    person.page.set_viewport_size({"width": view.width, "height": view.height})
    person.page.emulate_media(color_scheme=view.colours)
    person.touch(view.is_touched)
    wrong = [*person.axe(), *person.complaints, *_too_wide(person)]
    person.complaints.clear()
    if wrong or not IS_SHARED:
        person.picture(picture)
    return wrong


def _too_wide(person: Person) -> list[str]:
    """A page never scrolls sideways."""
    over = person.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return [f"{over} px too wide"] if over > 0 else []


def _keep_for_the_readme() -> None:
    folder = os.environ.get("PICTURES")
    if folder:
        for name in SHOWN:
            shutil.copy(PICTURES / f"{name}-1280.png", Path(folder) / f"{name}.png")


def test_refusals_are_pages_too(demo: RunningSite, browser: Browser) -> None:
    """What is not there, what is not allowed, and a form that was filled in wrongly."""
    mallory, bob, alice = (_person(browser, demo, each) for each in ("mallory", "bob", "alice"))
    for person, address, status in (
        (mallory, "/projects/atlas-reco/", 404),
        (bob, "/operations/endpoints/", 403),
    ):
        answer = person.page.goto(address)
        assert answer is not None
        assert answer.status == status
        assert person.axe() == []
        person.picture(f"refused-{status}")
    alice.page.goto("/requests/new/?project=atlas-reco&region=geneva")
    alice.page.get_by_label("vCPU wanted in compute-b").fill("many")
    alice.page.get_by_role("button", name="Send request").click()
    expect(alice.page.get_by_role("alert")).to_contain_text("many")
    assert alice.axe() == []
    alice.picture("request_new-wrong")
    for person in (mallory, bob, alice):
        person.close()
