"""Reading a site file: what it says, and the line of every mistake."""

import pytest

from quotas.catalogue.document import MAX_BYTES
from quotas.catalogue.reading import read_site
from quotas.tests.catalogue.sample import DEMO, GIB, SITE, changed, line_of, problems_of


def test_read_fills_placeholders_for_each_zone() -> None:
    site = read_site(SITE)

    feeds = site.offerings["geneva.sa.space"].feeds
    assert [(each.endpoint, each.key) for each in feeds] == [
        ("cinder-geneva", "gigabytes"),
        ("cinder-geneva", "gigabytes_ssd"),
    ]
    limit = site.limits["cinder-geneva", "gigabytes_ssd"]
    assert (limit.name, limit.unit, limit.step) == ("Space in Storage A", "B", GIB)


def test_read_takes_scalars_as_they_are_written() -> None:
    site = read_site(changed("bob: Bob", "bob: yes"))

    assert site.people["bob"].name == "yes"


def test_read_of_the_demo_site() -> None:
    site = read_site(DEMO.read_text(encoding="utf-8"))

    assert (len(site.regions), len(site.zones), len(site.offerings)) == (2, 20, 61)
    assert (len(site.endpoints), len(site.limits)) == (16, 67)


@pytest.mark.parametrize(
    ("text", "part", "sentence"),
    [
        (
            changed("geneva.ca: {vcpu", "geneva.cb: {vcpu"),
            "geneva.cb",
            "geneva.cb is no zone; did you mean geneva.ca?",
        ),
        (
            changed("adds: {ca: {vcpu: 8}}", "adds: {cx: {vcpu: 8}}"),
            "small",
            "geneva.cx is no zone; did you mean geneva.ca?",
        ),
        (
            changed("adds: {ca: {vcpu: 8}}", "adds: {ca: {space: 8T}}"),
            "small",
            "geneva.ca offers no space; there is vcpu.",
        ),
        (
            changed("  it: Computing", "  ep: Computing"),
            "  ep: Computing",
            "ep is in units twice, first on line 36.",
        ),
        (
            changed("  it: Computing", "  atlas: Again"),
            "atlas: Again",
            "atlas is a unit twice, first on line 36.",
        ),
        (
            changed("compute: [ca]", "compute: [ca, ca]"),
            "compute: [ca, ca]",
            "ca is a zone twice, first on line 28.",
        ),
        (
            changed("limits: {cores: vCPU}", "limits: {cores: {name: vCPU, step: 4}}"),
            "nova: cores",
            "cores is written in steps of 4, and vcpu comes in steps of 1, which is no multiple of "
            "it.",
        ),
        (
            changed("vcpu: {nova: cores}", "vcpu: {cinder: gigabytes}"),
            "cinder: gigabytes}",
            "vcpu and gigabytes are not counted in the same unit.",
        ),
        (
            changed("vcpu: 100 x 2.5", "vcpu: -100"),
            "-100",
            "-100 must be an amount without a sign, zero or more.",
        ),
        (
            changed("vcpu: 100 x 2.5", "vcpu: 100 x 0"),
            "100 x 0",
            "0 is no overcommit factor; write one like 4 or 1.25, below 1000.",
        ),
        (
            changed("vcpu: 100 x 2.5", "vcpu: many"),
            "many",
            "“many” is not a number. Write 64, or a change: +16.",
        ),
        (
            changed("2026-11-01:", "last week:"),
            "last week",
            "last week is no day; write it like 2026-11-01.",
        ),
        (
            changed(
                "    identity: keystone\n    limits: {cores",
                "    identity: nova-geneva\n    limits: {cores",
            ),
            "services: [nova",
            "nova-geneva names nova-geneva, which is no identity endpoint; there is keystone.",
        ),
        (
            changed("  bob: Bob", "  bob: {name: Bob, subject: alice}"),
            "  bob:",
            "alice is named twice, first on line 39 as alice.",
        ),
        (
            changed("owners: alice", "owners: [alice, alice]"),
            "owners",
            "alice is named twice in reco of projects, first on line 46.",
        ),
        (
            changed("owners: alice", "owners: alicia"),
            "owners",
            "alicia is not among people; did you mean alice?",
        ),
        (
            changed("members: [bob]", "members: [bob, eve]"),
            "members:",
            "eve is not among people; there is alice, bob.",
        ),
        (
            changed("owners: alice", "ownerz: alice"),
            "ownerz",
            "reco of projects knows no ownerz; did you mean owners?",
        ),
        (changed("units:\n", "unitz:\n"), "unitz:", "the file knows no unitz; did you mean units?"),
        (
            changed("limits: {cores: vCPU}", "limits: [cores]"),
            "limits: [cores]",
            "limits of nova of services must be a list of names with a colon each.",
        ),
        (
            changed("  vcpu: vCPU", "  vcpu: [a, b]"),
            "[a, b]",
            "vcpu of resources must be a list of names with a colon each.",
        ),
        (
            changed("step: 1GiB}\nidentity", "step: 1.3}\nidentity"),
            "step: 1.3",
            "“1.3” needs a unit. Write 1.3G for GiB or 1.3T for TiB.",
        ),
        (
            changed("  geneva:\n", "  Geneva:\n"),
            "Geneva:",
            "'Geneva' must be small letters, digits and hyphens, at most 40 of them.",
        ),
        (
            changed("      gigabytes_<type>: {name", "      gigabytes_<kind>: {name"),
            "gigabytes_<kind>",
            "<kind> stands for nothing; there is region, type, zone.",
        ),
        (
            changed("services: [nova, cinder]", "services: [nova]"),
            "storage: {sa",
            "sa needs cinder, which is not among the services of geneva.",
        ),
        (
            changed("space: {cinder", "spaces: {cinder"),
            "spaces:",
            "spaces is no resource; did you mean space?",
        ),
        (
            changed("compute: [ca]", "computer: [ca]"),
            "computer",
            "computer is no kind of zone; did you mean compute?",
        ),
        (
            changed("  it: Computing", "\tit: Computing"),
            "\tit",
            "a tab: YAML is indented with spaces.",
        ),
        (
            changed("people:\n", "people: &all\n"),
            "people: &all",
            "anchors and aliases (& and *) are not read; write it out.",
        ),
        (
            changed("bob: Bob", "bob: !!python/object:os.system x"),
            "bob: !!",
            "tags (!) are not read; write plain values.",
        ),
    ],
)
def test_read_refuses_naming_the_line(text: str, part: str, sentence: str) -> None:
    found = problems_of(text)

    assert (line_of(text, part), sentence) in found


def test_read_refuses_broken_yaml_on_its_line() -> None:
    text = changed("compute: [ca]", "compute: [ca")

    [(line, sentence)] = problems_of(text)

    assert line in (line_of(text, "[ca"), line_of(text, "[ca") + 1)
    assert sentence.startswith("this is not YAML")


def test_read_refuses_what_counts_against_no_limit() -> None:
    text = changed("vcpu: {nova: cores}", "vcpu: {}")

    assert problems_of(text) == [
        (
            line_of(text, "vcpu: {}"),
            "vcpu counts against no limit: say which, as in {nova: cores}, or leave it out.",
        )
    ]


def test_read_names_everything_that_is_wrong() -> None:
    text = changed("owners: alice", "owners: eve").replace("vcpu: 100 x 2.5", "vcpu: -1")

    assert [line for line, __ in problems_of(text)] == [
        line_of(text, "vcpu: -1"),
        line_of(text, "owners: eve"),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "- a\n- b\n", "just text", "a: \x00", "x" * (MAX_BYTES + 1), "[" * 500],
    ids=["empty", "comment", "list", "text", "nul", "huge", "deep"],
)
def test_read_refuses_what_is_no_site(text: str) -> None:
    assert len(problems_of(text)) == 1
