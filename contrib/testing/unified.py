"""A Nova of the newer release whose quotas lie in Keystone, beside the real services: what
`OPENSTACK_UNIFIED` makes of a whole installation.
"""

import configparser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contrib.testing import openstack
from contrib.testing.second_nova import second_nova

REGION = openstack.REGIONS[1]


@contextmanager
def unified_nova(folder: Path) -> Iterator[Path]:
    """A clouds.yaml in which the newer region's compute service is that Nova.

    The services must be running; files go to `folder`.
    """
    with second_nova(folder, REGION, _configure) as clouds_yaml:
        yield clouds_yaml


def _configure(settings: configparser.RawConfigParser) -> None:
    settings["quota"] = {"driver": "nova.quota.UnifiedLimitsDriver"}
    # Signed in as towards Placement, but for the whole system.
    settings["oslo_limit"] = {
        key: value for key, value in settings["placement"].items() if not key.startswith("project")
    } | {
        "system_scope": "all",
        "endpoint_id": (openstack.STATE / "secrets" / f"endpoint-{REGION}-nova")
        .read_text()
        .strip(),
    }
