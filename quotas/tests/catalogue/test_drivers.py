"""What drivers say of a file, and how zones come by what they have."""

import pytest

from quotas.catalogue.drivers import check_drivers
from quotas.catalogue.problems import Problems
from quotas.catalogue.reading import read_site
from quotas.tests.catalogue.sample import DEMO, SITE, changed, line_of, problems_of

FLAVORS = """\
  flavors:
    driver: flavor_access
    cloud: lab
    identity: keystone
    limits: {gpu.large: GPU}
offers:
"""
UNIFIED = """\
  unified:
    driver: keystone_limits
    cloud: lab
    identity: keystone
    limits: {class:VCPU: vCPU}
offers:
"""


def with_flavor(*changes: tuple[str, str]) -> str:
    """The site with a private flavor in its compute zone, and these changes."""
    text = SITE.replace("offers:\n", FLAVORS, 1)
    for old, new in (
        ("  vcpu: vCPU\n", "  vcpu: vCPU\n  gpu: {name: GPU, unit: access}\n"),
        ("    vcpu: {nova: cores}\n", "    vcpu: {nova: cores}\n    gpu: {flavors: gpu.large}\n"),
        ("services: [nova, cinder]", "services: [nova, cinder, flavors]"),
        *changes,
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def found_in(text: str) -> list[tuple[int, str]]:
    problems = Problems()
    check_drivers(read_site(text), problems)
    return [(each.line, each.sentence) for each in problems.found]


@pytest.mark.parametrize(
    "text", [SITE, with_flavor(), DEMO.read_text(encoding="utf-8")], ids=["small", "flavor", "demo"]
)
def test_what_drivers_count_in_their_own_steps_is_taken(text: str) -> None:
    assert found_in(text) == []


def test_of_a_driver_that_is_not_installed_here_nothing_is_said() -> None:
    assert found_in(changed("driver: nova", "driver: elsewhere")) == []


@pytest.mark.parametrize(
    ("text", "part", "sentence"),
    [
        (
            changed("limits: {cores: vCPU}", "limits: {cpus: vCPU}").replace(
                "nova: cores", "nova: cpus"
            ),
            "limits: {cpus",
            "nova counts no cpus.",
        ),
        (
            changed(
                "      gigabytes: {unit: B, step: 1GiB}", "      gigabytes: {unit: B, step: 1MiB}"
            ),
            "      gigabytes: {",
            "cinder counts gigabytes in steps of 1\u202fGiB: write {unit: B, step: 1GiB}.",
        ),
        (
            with_flavor(("gpu: {name: GPU, unit: access}", "gpu: GPU")),
            "gpu: {flavors",
            "gpu.large is granted or not: gpu must have unit: access.",
        ),
        (
            with_flavor(("gpu: {flavors: gpu.large}", "gpu: {nova: cores}")),
            "gpu: {nova",
            "gpu is granted or not, and cores is counted.",
        ),
        (
            with_flavor(("gpu: {flavors: gpu.large}", "gpu: {flavors: {gpu.large: 2}}")),
            "gpu: {flavors",
            "gpu.large is granted or not: a factor makes no sense.",
        ),
        (
            with_flavor(("compute: [ca]", "compute: [ca, cb]")),
            "gpu: {flavors",
            "geneva.cb.gpu and geneva.ca.gpu grant the same gpu.large: leave one out.",
        ),
        (
            changed("services: [nova, cinder]", "services: [nova, cinder, unified]").replace(
                "offers:\n", UNIFIED, 1
            ),
            "class:VCPU",
            "class:VCPU of unified-geneva limits the same as cores of nova-geneva: keep the one "
            "that Nova enforces there.",
        ),
    ],
)
def test_what_no_driver_could_make_true_is_named(text: str, part: str, sentence: str) -> None:
    assert found_in(text) == [(line_of(text, part), sentence)]


def test_an_access_has_no_step() -> None:
    text = with_flavor(("unit: access}", "unit: access, step: 2}"))

    assert (line_of(text, "step: 2"), "gpu of resources is granted or not: it has no step.") in (
        problems_of(text)
    )


def test_zones_have_the_offers_that_they_name_and_some_more() -> None:
    text = changed("  storage:\n    space", "  discs:\n    space")
    text = text.replace("sa: {name", "sa: {offers: discs, name").replace(
        "compute: [ca]", "compute: {ca: {}, cb: {also: {space: {cinder: gigabytes}}}}"
    )

    assert sorted(read_site(text).offerings) == [
        "geneva.ca.vcpu", "geneva.cb.space", "geneva.cb.vcpu", "geneva.sa.space",
    ]  # fmt: skip


def test_offers_that_no_zone_has_are_named() -> None:
    text = changed("  storage:\n    space", "  storages:\n    space")

    assert problems_of(text)[0] == (
        line_of(text, "  storages:"),
        "storages is no kind of zone, and no zone says offers: storages; did you mean storage?",
    )
    text = changed("sa: {name", "sa: {offers: discs, name")
    assert problems_of(text)[0] == (
        line_of(text, "sa: {offers"),
        "there are no offers called discs; there is compute, storage.",
    )
