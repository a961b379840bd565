"""The list of steps is the list of calls: of each driver, in an undisturbed change."""

import re

from quotas.models import HolderHandle
from quotas.states import TargetState
from quotas.tests.reliability.scenes import CINDER, KEYSTONE, NOVA, Scene
from quotas.tests.reliability.steps import STEPS
from quotas.tests.site import GIB
from quotas.tests.test_decide import ask, grant


def test_a_change_consists_of_the_steps_and_no_other_calls(bare: Scene) -> None:
    site = bare.site
    HolderHandle.objects.create(
        user=site.alice, identity=bare.endpoint(KEYSTONE), external_id=bare.cloud.plain.user_id
    )
    bare.give_roles()
    grant(site, ask(site, {site.vcpu.slug: 5, site.space.slug: GIB}))
    for endpoint in (KEYSTONE, NOVA, CINDER):
        bare.cloud.proxy.forget_calls()
        assert bare.work(endpoint) == TargetState.APPLIED
        calls = [call for call in bare.cloud.proxy.calls() if not _is_of_the_session(call["path"])]
        assert len(calls) == len(STEPS[endpoint]), calls
        for call, step in zip(calls, STEPS[endpoint], strict=True):
            assert (call["service"], call["method"]) == (step.service, step.method)
            assert re.search(step.path.format(id=bare.external_id), call["path"])


def _is_of_the_session(path: str) -> bool:
    """Signing in and discovery: once a process, not once a change."""
    return (
        path.endswith("/auth/tokens")
        or re.fullmatch(r"/?(v[\d.]+(/[0-9a-f]{32})?)?/?", path) is not None
    )
