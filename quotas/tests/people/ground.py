"""A site on real services for one story: its people sign in at the provider, and get mail.

It is contrib/clouds/site.yaml with a role map, rules by which people and groups are found in
Keystone, presets, and a second unit with envelopes of its own. Names in the cloud are new ones.
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import Browser, expect

from contrib.provider.running import RunningProvider
from contrib.testing.clouds import Site as CloudSite
from portal.testing.processes import RunningSite, running_site
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from projects.actions.people import make_user
from projects.models import Delegation, Unit, User
from projects.states import Power
from projects.tests.sign_in.visitor import Visitor, provider_settings
from quotas.actions.delegations import UNBOUNDED, delegate
from quotas.models import Target
from quotas.tests.mail.server import HOST, MailServer, address
from quotas.tests.stage import ROOT

ROLES = {
    "owner": ["manager", "member"], "manager": ["member"], "member": "member", "reader": "reader",
}  # fmt: skip
# What each preset adds, by region: one for each of the two.
PRESETS = {
    "region-one": {"compute-a": {"vcpu": 8, "ram": "16GiB"}, "storage-a": {"space": "100GiB"}},
    "region-two": {"compute-a": {"vcpu": 4, "ram": "8GiB"}, "storage-a": {"space": "50GiB"}},
}
AMOUNTS = ("compute-a.vcpu", "compute-a.ram", "storage-a.space")
PATIENCE = 120
MAIL_LINK = re.compile(r"https?://remit\.example\.org(/\S+)")


@dataclass
class Ground:
    """The running site, the provider, the cloud, the mail server, and people at browsers."""

    cloud: CloudSite
    provider: RunningProvider
    mail: MailServer
    running: RunningSite
    browser: Browser
    stack: ExitStack
    mark: str
    people: dict[str, Visitor] = field(default_factory=dict)

    def subject(self, name: str) -> str:
        """The name as the provider and Keystone know it."""
        return f"{name}-{self.mark}"

    def introduce(self, name: str, full_name: str, **claims: Any) -> None:
        """Somebody can sign in at the provider."""
        subject = self.subject(name)
        self.provider.person(subject, name=full_name, email=address(subject), **claims)

    def know(self, name: str, full_name: str) -> User:
        """Somebody is known here by their subject, though they never signed in."""
        subject = self.subject(name)
        return make_user(
            subject=subject, issuer=self.provider.issuer, name=full_name, mail=address(subject)
        )

    def arrives(self, name: str, path: str) -> Visitor:
        """Somebody opens a page, is sent to the provider, signs in there, and lands on it."""
        visitor = Visitor(self.browser, self.running.url)
        self.stack.callback(visitor.close)
        page = visitor.page
        page.goto(path)
        visitor.go_to_the_provider()
        visitor.say_who(self.subject(name))
        page.get_by_role("button", name="Continue").click()
        expect(page).to_have_url(self.running.url + path)
        self.people[name] = visitor
        return visitor

    def letter_to(self, name: str, words: str) -> str:
        """Wait for a letter with these words in its subject; the path that it leads to."""

        def found() -> list[Any]:
            letters = self.mail.to(self.subject(name))
            return [each for each in letters if words in str(each.message["Subject"])]

        self.wait_for(found, f"a letter to {name}: {words}")
        (letter,) = found()
        link = MAIL_LINK.search(letter.text)
        assert link is not None, letter.text
        return link.group(1)

    def wait_for(self, predicate: Any, what: str) -> Any:
        """A failure shows the rows and the last words of the worker."""
        try:
            return wait_until(predicate, PATIENCE, what)
        except AssertionError as error:
            rows = Target.objects.values_list(
                "project__slug", "endpoint__slug", "state", "error_code", "error_words"
            )
            raise AssertionError(f"{error}\n{list(rows)}\n{self.running.log('worker')}") from None


@contextmanager
def standing(
    cloud: CloudSite, provider: RunningProvider, mail: MailServer, copy: DatabaseCopy,
    browser: Browser, folder: Path,
) -> Iterator[Ground]:  # fmt: skip
    """The site stands and its processes run; nobody has signed in."""
    mark = uuid.uuid4().hex[:8]
    _load(cloud, provider, folder)
    settings = provider_settings(
        provider, SITE_URL="https://remit.example.org", EMAIL_HOST=HOST, EMAIL_PORT=str(mail.port),
        DEFAULT_FROM_EMAIL="Remit <remit@example.org>", MAIL_GATHER_SECONDS="0",
        OBSERVE_SECONDS="5",
        OBSERVE_EACH_SECONDS="5",
    )  # fmt: skip
    with ExitStack() as stack:
        running = stack.enter_context(running_site(copy, cloud.clouds_yaml, **settings))
        running.start_worker()
        running.start_beat()
        running.start_web()
        yield Ground(cloud, provider, mail, running, browser, stack, mark)


def _load(cloud: CloudSite, provider: RunningProvider, folder: Path) -> None:
    """What an operator does before anybody comes: catalogue, roots, funded units."""
    site = yaml.safe_load((ROOT / "contrib" / "clouds" / "site.yaml").read_text())
    keystone = site["identity"]["keystone"]
    del keystone["role"]
    keystone |= {
        "roles": ROLES,
        "people": {"by": "name", "issuer": provider.issuer},
        "groups": {"by": "name", "field": "id"},
    }
    site["presets"] = {
        f"small-{region}": {"name": f"Small {region}", "region": region, "adds": adds}
        for region, adds in PRESETS.items()
    }
    site["units"]["it"]["units"]["lab"] = "Laboratory"
    site["projects"] = {}
    file = folder / "site.yaml"
    file.write_text(yaml.safe_dump(site))
    call_command("load_catalogue", str(file), "--yes", verbosity=0)
    call_command("grant_root", "erin", "otto", "--unit", "it", verbosity=0)
    fund("--pool", "1000", "4TiB", "20TiB")
    for unit in ("cm", "lab"):
        fund("--unit", unit, "100", "400GiB", "2TiB")


def fund(*where_and_amounts: str) -> None:
    """Fund the pool or a unit with so much of vCPU, RAM and space in both regions."""
    *where, vcpu, ram, space = where_and_amounts
    pairs = [
        f"{region}.{name}={amount}"
        for region in PRESETS
        for name, amount in zip(AMOUNTS, (vcpu, ram, space), strict=True)
    ]
    call_command("fund", *where, *pairs, verbosity=0)


def delegate_to(user: User, unit: str) -> Delegation:
    """Erin lets somebody decide projects and quota of a unit."""
    erin, now = User.objects.get(subject="erin"), timezone.now()
    return delegate(
        parent=Delegation.objects.get(parent=None, user=erin), grantor=erin,
        unit=Unit.objects.get(slug=unit),
        powers=[Power.DECIDE_QUOTA, Power.DECIDE_PROJECTS], starts_at=now,
        ends_at=None, depth=0, bounds=UNBOUNDED, user=user, now=now,
    )  # fmt: skip
