"""More than a service can hold: said before it is sent, found before it is written."""

import pytest

from contrib.sandbox.control import RunningSandbox
from projects.queries.viewers import Viewer
from quotas.models import Delivery, Limit
from quotas.queries.preview import preview
from quotas.states import TargetState
from quotas.tests.site import GIB, NOW, Site
from quotas.tests.test_converge import limits, standing, target_at, work  # noqa: F401 - fixtures
from quotas.tests.test_decide import ask, grant


@pytest.fixture
def bounded(site: Site) -> Site:
    """Of cores, Nova takes no more than 50 here."""
    Limit.objects.filter(key="cores").update(maximum=50)
    return site


def test_a_limit_above_the_maximum_is_refused_and_the_others_written(
    standing: Site,  # noqa: F811 - the fixture
    bounded: Site,
    cloud: RunningSandbox,
) -> None:
    ram = bounded.offerings["geneva.compute-a.ram"]
    grant(standing, ask(standing, {bounded.vcpu.slug: 51, ram.slug: 8 * GIB}))
    assert work(standing, "nova-geneva") == [TargetState.REFUSED]

    target = target_at("nova-geneva", standing)
    assert target.error_code == "above_maximum"
    assert "cores: 51 granted, at most 50 taken" in target.error_words
    # Of cores it keeps its default; what Nova can hold is there.
    assert limits(cloud, "compute") == {"ram": 8192}
    delivered = Delivery.objects.filter(applied_at__isnull=False)
    assert [row.decision_line.line.offering for row in delivered] == [ram]


def test_the_maximum_itself_is_written(
    standing: Site,  # noqa: F811 - the fixture
    bounded: Site,
    cloud: RunningSandbox,
) -> None:
    grant(standing, ask(standing, {bounded.vcpu.slug: 50}))
    assert work(standing, "nova-geneva") == [TargetState.APPLIED]
    assert limits(cloud, "compute")["cores"] == 50


def test_a_wish_above_the_maximum_is_warned_of_before_it_is_sent(bounded: Site) -> None:
    viewer = Viewer.of(bounded.alice, NOW)
    fits, exceeds = (
        {each.code for each in preview(viewer, bounded.project, {bounded.vcpu: amount}).warnings}
        for amount in (50, 51)
    )
    assert exceeds - fits == {"W10"}
