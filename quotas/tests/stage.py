"""The stage of the story: a small site on a cloud, with web, worker and beat running.

The site is contrib/clouds/site.yaml, the file that docs/connect-a-cloud.md walks
through; on the sandbox the names of the cloud are the sandbox's.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from playwright.sync_api import Browser, expect

from contrib.testing.clouds import Site as CloudSite
from portal.testing.browser import Person
from portal.testing.processes import RunningSite, running_site
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from projects.models import Project, User
from quotas.models import ProjectHandle, Target
from quotas.states import TargetState

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a-long-password"
REGIONS = ("region-one", "region-two")


@dataclass
class Stage:
    """A site, its cloud, and its people at their browsers."""

    cloud: CloudSite
    running: RunningSite
    browser: Browser | None

    def region(self, number: int) -> str:
        """The slug of the region in the catalogue, which is its name in the cloud too."""
        return self.cloud.regions[number]

    @contextmanager
    def person(self, name: str, **options: object) -> Iterator[Person]:
        """Somebody signed in; what their browser complained about fails the test."""
        assert self.browser is not None
        person = Person(self.browser, self.running.url, **options)
        try:
            yield person.sign_in(name, PASSWORD)
            assert person.complaints == [], person.complaints
        finally:
            person.close()

    @property
    def external_id(self) -> str:
        return ProjectHandle.objects.get(project__slug="telescope").external_id

    def wait_for(self, predicate: Callable[[], object], what: str) -> None:
        """Wait for a state of the database; a failure shows the worker's last words."""
        try:
            wait_until(predicate, 60, what)
        except AssertionError as error:
            targets = list(
                Target.objects.order_by("pk").values_list("endpoint__slug", "state", "error_words")
            )
            raise AssertionError(f"{error}\n{targets}\n{self.running.log('worker')}") from None

    def wait_until_the_project_stands(self) -> None:
        """Made in Keystone, and every limit written once."""
        self.wait_for(
            lambda: not Target.objects.exclude(state=TargetState.APPLIED).exists(),
            "all targets are applied",
        )

    def target(self, endpoint: str) -> Target:
        return Target.objects.get(project__slug="telescope", endpoint__slug=endpoint)


def set_up_site(cloud: CloudSite, folder: Path, roots: Sequence[str] = ("dana", "erin")) -> None:
    """What an operator does by docs/connect-a-cloud.md, up to the funded envelope.

    roots: who is granted a root delegation by the command.
    """
    text = (ROOT / "contrib" / "clouds" / "site.yaml").read_text()
    text = text.replace("cloud: admin", f"cloud: {cloud.cloud}")
    for ours, theirs in zip(REGIONS, cloud.regions, strict=True):
        text = text.replace(ours, theirs)
    for ours, theirs in zip(("zone-a", "zone-b"), cloud.volume_types, strict=False):
        text = text.replace(f"type: {ours}", f"type: {theirs}")
    file = folder / "site.yaml"
    file.write_text(text)
    call_command("load_catalogue", str(file), "--yes", verbosity=0)
    call_command("set_operator", "otto", verbosity=0)
    call_command("grant_root", *roots, "--unit", "it", verbosity=0)
    amounts = [f"{each}.compute-a.vcpu=1000" for each in cloud.regions]
    amounts += [f"{each}.storage-a.space=20T" for each in cloud.regions]
    amounts += [f"{each}.storage-a.volumes=1000" for each in cloud.regions]
    call_command("fund", "--pool", *amounts, verbosity=0)
    halves = [each.replace("1000", "500").replace("20T", "10T") for each in amounts]
    call_command("fund", "--unit", "cm", *halves, verbosity=0)
    # A name of its own in the cloud, which keeps what earlier tests made.
    project = Project.objects.get(slug="telescope")
    Project.objects.filter(pk=project.pk).update(name=f"telescope-{project.public_id.hex[:8]}")
    User.objects.update(password=make_password(PASSWORD))


@contextmanager
def staged(
    cloud: CloudSite, copy: DatabaseCopy, browser: Browser | None, folder: Path, **settings: str
) -> Iterator[Stage]:
    """The site stands, its processes run, and its project is in the cloud.

    Without a browser its people call the API. settings: of all its processes.
    """
    set_up_site(cloud, folder)
    with running_site(copy, cloud.clouds_yaml, **settings) as running:
        running.start_worker()
        running.start_beat()
        running.start_web()
        stage = Stage(cloud, running, browser)
        stage.wait_until_the_project_stands()
        yield stage


# --- What people do, as they would say it ---------------------------------------------


def ask(person: Person, region: str, amounts: dict[tuple[str, str], str], why: str) -> int:
    """Fill the form of a new request and send it; returns its number.

    amounts: {(resource, zone): what is typed}.
    """
    page = person.page
    page.goto("/requests/new?project=telescope")
    page.get_by_label("Region").select_option(region)
    page.get_by_role("button", name="Show").click()
    for (resource, zone), text in amounts.items():
        page.get_by_label(f"{resource} wanted in {zone}").fill(text)
    page.get_by_role("textbox", name=re.compile("^Why")).fill(why)
    page.get_by_role("button", name="Send request").click()
    expect(page).to_have_url(re.compile(r"/requests/\d+/$"))
    return int(page.url.rstrip("/").rsplit("/", 1)[-1])


def approve(person: Person, number: int) -> None:
    """Find the request in the queue and approve it as asked."""
    page = person.page
    page.goto("/decide/")
    page.get_by_role("link", name=f"#{number}").click()
    page.get_by_role("button", name="Approve as asked").click()
    expect(page.get_by_role("heading", name="Your decision")).to_have_count(0)
