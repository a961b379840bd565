"""A project's whole life, from its first owner's first sign-in to its end, on real services.

Nora has never been here. She asks for a project in two regions, which Dana opens; Colin, Lena
and a group work in it; Petra takes it over, lets it last longer, moves it, and closes it.
"""

import re
from collections.abc import Iterable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from playwright.sync_api import Page, expect

from portal.celery import app
from projects.models import Letter, Project, User
from projects.states import LetterState, ProjectState
from quotas.models import Account, Drift, HolderHandle, ProjectHandle, Reading, Target
from quotas.states import DriftKind, TargetState
from quotas.tests.people.ground import Ground, delegate_to

pytestmark = pytest.mark.needs("openstack", "provider", "chromium")
# What the presets add, as Nova and Cinder count it: cores, MiB of RAM, GiB in all and of a type.
GRANTED = {"region-one": (8, 16384, 100, 100), "region-two": (4, 8192, 50, 50)}
NAMES = ("Region One", "Region Two")
NOTHING = dict.fromkeys(GRANTED, (0, 0, 0, 0))
ENVELOPE = 100
FURTHER_THAN_A_RENEWAL = timedelta(days=500)
Limits = dict[str, tuple[int, int, int, int]]
OWNER = ("manager", "member")


def test_a_project_is_asked_for_opened_staffed_handed_over_moved_and_closed(
    ground: Ground,
) -> None:
    people = _people(ground)
    slug = _nora_asks(ground)
    _dana_opens_it(ground)
    external_id = _it_stands_in_both_regions(ground, slug)
    _nora_adds_a_colleague_a_group_and_somebody_unknown(ground, slug, external_id, people)
    _who_appears_in_keystone_gets_the_role(ground, slug, external_id, people)
    _petra_takes_it_over(ground, slug, external_id, people)
    _petra_lets_it_last_longer(ground, slug)
    _petra_moves_it(ground, slug, external_id)
    _petra_closes_it(ground, slug, external_id, people)
    _what_is_in_use_stays_until_it_is_given_up(ground, slug, external_id)
    _all_agree(ground, external_id)


# --- Who there is -------------------------------------------------------------------------


def _people(ground: Ground) -> dict[str, str]:
    """{name: the id in Keystone}. Nora and the group are new here, Lena is new to Keystone."""
    nobody_yet = {"lena"}
    group = ground.subject("shift")
    ground.introduce("nora", "Nora Field", groups=[{"id": group, "name": f"Night {group}"}])
    for name, full in (("dana", "Dana Lindqvist"), ("petra", "Petra Novak")):
        ground.introduce(name, full)
    for name, full in (
        ("dana", "Dana Lindqvist"), ("petra", "Petra Novak"), ("colin", "Colin Baker"),
        ("lena", "Lena Sommer"),
    ):  # fmt: skip
        ground.know(name, full)
    for unit in ("cm", "lab"):
        delegate_to(User.objects.get(subject=ground.subject("dana")), unit)
    plain = ground.cloud.plain
    found = {
        name: plain.new_user(ground.subject(name))
        for name in ("nora", "petra", "colin", "lena")
        if name not in nobody_yet
    }
    return found | {"shift": plain.new_group(group)}


# --- The story ----------------------------------------------------------------------------


def _nora_asks(ground: Ground) -> str:
    """The form that she wanted to see stands behind the sign-in; the slug of her project."""
    page = ground.arrives("nora", "/projects/new/").page
    name = f"Plates {ground.mark}"
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("What it is for").fill("Old plates of the southern sky, to be measured.")
    page.get_by_label("Another unit").fill("Compute")
    page.get_by_role("button", name="Find unit").click()
    page.get_by_role("radio", name="CM").check()
    for region in GRANTED:
        page.get_by_role("button", name=f"Small {region}").click()
    expect(page.get_by_label("vCPU wanted in compute-a, Region One")).to_have_value("8")
    expect(page.locator("#preview")).to_contain_text("Dana Lindqvist")
    page.get_by_role("button", name="Send request").click()
    expect(page.locator("#request-state")).to_contain_text("waits")
    project = Project.objects.get(name=name)
    assert project.state == ProjectState.PROPOSED
    assert not ProjectHandle.objects.exists()
    return project.slug


def _dana_opens_it(ground: Ground) -> None:
    page = ground.arrives("dana", "/decide/").page
    page.get_by_role("link", name=re.compile("^#")).first.click()
    for words in ("Old plates of the southern sky", *(f"compute-a, {each}" for each in NAMES)):
        expect(page.locator("main")).to_contain_text(words)
    page.get_by_role("button", name="Approve as asked").click()
    expect(page.get_by_role("heading", name="Your decision")).to_have_count(0)


def _it_stands_in_both_regions(ground: Ground, slug: str) -> str:
    """Her page tells it by itself; the id in Keystone."""
    project = Project.objects.get(slug=slug)
    (found,) = ground.wait_for(
        lambda: ground.cloud.plain.projects_with(project.tag), "it is in Keystone"
    )
    assert (found["name"], found["enabled"]) == (project.name, True)
    _are_granted(ground, found["id"], GRANTED)
    ground.wait_for(lambda: _roles(ground, found["id"]), "somebody holds a role")
    expect(_page(ground, "nora").locator("#request-state")).to_contain_text("applied")
    ground.letter_to("nora", "approved")
    return str(found["id"])


def _nora_adds_a_colleague_a_group_and_somebody_unknown(
    ground: Ground, slug: str, external_id: str, people: dict[str, str]
) -> None:
    page = _page(ground, "nora")
    _add(page, slug, "Colin Baker", "manager")
    _add(page, slug, f"Night {ground.subject('shift')}", "reader")
    _add(page, slug, "Lena Sommer", "member")
    wanted = {
        *_of(people, "nora", OWNER), *_of(people, "colin", ["member"]),
        ("group", people["shift"], "reader"),
    }  # fmt: skip
    _have(ground, external_id, wanted)
    page.reload()
    expect(page.locator("main")).to_contain_text("Lena Sommer is not in Keystone yet")


def _who_appears_in_keystone_gets_the_role(
    ground: Ground, slug: str, external_id: str, people: dict[str, str]
) -> None:
    people["lena"] = ground.cloud.plain.new_user(ground.subject("lena"))
    # As if the minutes had passed until she is looked for again.
    HolderHandle.objects.filter(missing__gt="").update(next_at=Now())
    app.send_task("quotas.tasks.observe_missing")
    ground.wait_for(
        lambda: ("user", people["lena"], "member") in _roles(ground, external_id), "Lena works"
    )
    page = _page(ground, "nora")
    page.reload()
    expect(page.locator("main")).not_to_contain_text("is not in Keystone yet")


def _petra_takes_it_over(
    ground: Ground, slug: str, external_id: str, people: dict[str, str]
) -> None:
    """She is a stranger to it: a letter leads her to the offer, through the sign-in."""
    nora = _page(ground, "nora")
    _find(nora, slug, "Petra Novak")
    nora.locator("summary", has_text="Offer the project to Petra Novak").click()
    nora.get_by_role("button", name="Offer it").click()
    expect(nora.locator("main")).to_contain_text("Offered")
    petra = ground.arrives("petra", ground.letter_to("petra", "asks for your yes")).page
    expect(petra.locator("main")).to_contain_text("To be owned by")
    petra.get_by_role("button", name="Accept").click()
    expect(petra.locator("main")).to_contain_text("Agreed")
    _have(ground, external_id, {
        *_of(people, "petra", OWNER), *_of(people, "colin", ["member"]),
        *_of(people, "lena", ["member"]), ("group", people["shift"], "reader"),
    })  # fmt: skip
    # Nora has no role in it any more, but hears that it was taken.
    nora.goto(ground.letter_to("nora", "Petra Novak agreed"))
    expect(nora.locator("main")).to_contain_text("accepted")


def _petra_lets_it_last_longer(ground: Ground, slug: str) -> None:
    page = _page(ground, "petra")
    until = timezone.localdate() + FURTHER_THAN_A_RENEWAL
    page.goto(f"/projects/{slug}/life/")
    page.locator("#extend-until_on").fill(until.isoformat())
    page.get_by_role("button", name="Change its last day").click()
    expect(page.locator("main")).to_contain_text("it waits for a yes")
    assert Project.objects.get(slug=slug).ends_on is None
    _dana_agrees(ground, "To last until the end of")
    assert Project.objects.get(slug=slug).ends_on == until


def _petra_moves_it(ground: Ground, slug: str, external_id: str) -> None:
    """The laboratory's envelopes pay from then on; the clouds notice nothing."""
    assert _envelopes("cm") == _left(GRANTED)
    page = _page(ground, "petra")
    page.goto(f"/projects/{slug}/life/")
    page.get_by_label("Into").select_option("lab")
    page.get_by_role("button", name="Show what it means").click()
    page.get_by_role("button", name="Move to IT/LAB").click()
    expect(page.locator("main")).to_contain_text("says yes or no")
    _dana_agrees(ground, "To be in IT/LAB")
    assert (_envelopes("cm"), _envelopes("lab")) == (_left(NOTHING), _left(GRANTED))
    assert Project.objects.get(slug=slug).unit.slug == "lab"
    _are_granted(ground, external_id, GRANTED)


def _petra_closes_it(ground: Ground, slug: str, external_id: str, people: dict[str, str]) -> None:
    """Two instances run on: the page says what they hold, and it works on while it counts down."""
    ground.cloud.set_instances("region-one", external_id, 2)
    page = _page(ground, "petra")

    def says_what_is_in_use() -> bool:
        page.goto(f"/projects/{slug}/life/")
        return "something of 2 of its 6 offerings" in page.locator("main").inner_text()

    ground.wait_for(says_what_is_in_use, "the page says that cores and RAM are in use")
    page.get_by_role("button", name="Begin to close it").click()
    expect(page.locator("main")).to_contain_text("Its countdown has begun")
    ground.letter_to("colin", "begins to close")
    assert _is_enabled(ground, external_id)
    _are_granted(ground, external_id, GRANTED)


def _what_is_in_use_stays_until_it_is_given_up(ground: Ground, slug: str, external_id: str) -> None:
    # As if the days of the countdown had passed.
    closes_on = timezone.localdate() - timedelta(days=1)
    Project.objects.filter(slug=slug).update(closes_on=closes_on)
    app.send_task("quotas.tasks.sweep_emptying")
    ground.wait_for(lambda: not _is_enabled(ground, external_id), "nobody works in it any more")
    _are_granted(ground, external_id, NOTHING | {"region-one": (2, 1024, 0, 0)})
    assert Project.objects.get(slug=slug).state == ProjectState.CLOSING
    ground.cloud.set_instances("region-one", external_id, 0)
    in_use = Reading.objects.filter(used__gt=0)
    ground.wait_for(lambda: not in_use.exists(), "nothing is seen in use any more")
    app.send_task("quotas.tasks.sweep_emptying")
    _are_granted(ground, external_id, NOTHING)
    page = _page(ground, "petra")

    def says_that_it_is_closed() -> bool:
        page.goto(f"/projects/{slug}/life/")
        return "closed" in page.locator(".head").inner_text()

    ground.wait_for(says_that_it_is_closed, "the page says that it is closed")


def _all_agree(ground: Ground, external_id: str) -> None:
    """The ledger, the proofs, Keystone, and the mail server."""
    app.send_task("quotas.tasks.sweep_identities")
    ground.wait_for(lambda: not ProjectHandle.objects.exists(), "all is done in Keystone")
    assert _roles(ground, external_id) == set()
    assert not _is_enabled(ground, external_id)
    assert (_envelopes("cm"), _envelopes("lab")) == (_left(NOTHING), _left(NOTHING))
    assert not Target.objects.exclude(
        state=TargetState.APPLIED, applied_generation=F("generation")
    ).exists()
    # The instances that the story made past Nova, above a limit of 0, were seen and are gone.
    assert not Drift.objects.exclude(kind=DriftKind.USAGE_ABOVE).exists()
    assert not Drift.objects.filter(ended_at__isnull=True).exists()
    call_command("audit_ledger", quiet=True)
    call_command("verify_decisions")
    unsent = Letter.objects.exclude(state=LetterState.SENT)
    # Who was faster than the mail has read it on a page, and is not told again.
    lost = unsent.exclude(state=LetterState.WITHHELD)
    ground.wait_for(lambda: not lost.exists(), "every letter is sent, or nothing was left to tell")
    ids = [str(each.message["Message-ID"]) for each in ground.mail.letters]
    assert ids
    assert len(set(ids)) == len(ids) == Letter.objects.count() - unsent.count()
    for name, visitor in ground.people.items():
        assert visitor.complaints == [], name


# --- What they do, and what is read -------------------------------------------------------


def _page(ground: Ground, name: str) -> Page:
    return ground.people[name].page


def _find(page: Page, slug: str, name: str) -> None:
    page.goto(f"/projects/{slug}/people/")
    page.get_by_label("Name of a person or a group").fill(name)
    page.get_by_role("button", name="Find", exact=True).click()


def _add(page: Page, slug: str, name: str, role: str) -> None:
    _find(page, slug, name)
    page.locator("#role-1").select_option(role)
    page.get_by_role("button", name=f"Add {name}").click()
    expect(page.locator("main")).to_contain_text(f"{name} is {role} now.")


def _dana_agrees(ground: Ground, wish: str) -> None:
    """She finds it among what waits for her."""
    page = _page(ground, "dana")
    page.goto("/changes/")
    page.get_by_role("link", name=wish).click()
    page.get_by_role("button", name="Accept").click()
    expect(page.locator("main")).to_contain_text("Agreed, and done.")


def _roles(ground: Ground, external_id: str) -> set[tuple[str, str, str]]:
    return ground.cloud.plain.granted(external_id)


def _have(ground: Ground, external_id: str, wanted: set[tuple[str, str, str]]) -> None:
    ground.wait_for(lambda: _roles(ground, external_id) == wanted, f"they hold {wanted}")


def _of(people: dict[str, str], name: str, roles: Iterable[str]) -> set[tuple[str, str, str]]:
    return {("user", people[name], role) for role in roles}


def _is_enabled(ground: Ground, external_id: str) -> bool:
    found = ground.cloud.plain.project(external_id)
    assert found is not None
    return bool(found["enabled"])


def _are_granted(ground: Ground, external_id: str, wanted: Limits) -> None:
    """Nova and Cinder have these limits, or will in a moment."""
    ground.wait_for(lambda: _limits(ground, external_id) == wanted, f"limits are {wanted}")


def _limits(ground: Ground, external_id: str) -> Limits:
    found = {}
    for region in GRANTED:
        compute = ground.cloud.plain.compute_limits(region, external_id)
        volume = ground.cloud.plain.volume_limits(region, external_id)
        found[region] = (
            compute["cores"], compute["ram"], volume["gigabytes"], volume["gigabytes_zone-a"],
        )  # fmt: skip
    return found


def _envelopes(unit: str) -> dict[str, int]:
    """{region: vCPU} that a unit has left."""
    rows = Account.objects.filter(unit__slug=unit, offering__resource__slug="vcpu")
    return {each.offering.zone.region.slug: each.balance for each in rows}


def _left(granted: Limits) -> dict[str, int]:
    return {region: ENVELOPE - cores for region, (cores, *_rest) in granted.items()}
