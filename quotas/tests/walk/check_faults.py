"""Whether the walks of `make test` notice every fault of quotas.tests.walk.faults.

Nothing of `make test`: `make walk-faults` takes it, for who changes the walk.
"""

import pytest

from quotas.tests.site import Site
from quotas.tests.walk.faults import FAULTS
from quotas.tests.walk.ground import make_ground
from quotas.tests.walk.test_walk import START
from quotas.tests.walk.walks import ABOUT, PROFILES, walk


@pytest.mark.django_db
@pytest.mark.parametrize("fault", FAULTS)
def test_a_walk_notices(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make_ground()
    FAULTS[fault](monkeypatch)
    assert any(_stumbles(name, site) for name in ABOUT)


def _stumbles(name: str, site: Site) -> bool:
    try:
        walk(site, name, PROFILES["default"], START)
    except Exception as found:  # noqa: BLE001 - whatever a fault leads to
        print(f"{name}: {type(found).__name__} {str(found)[:200]}")
        return True
    return False
