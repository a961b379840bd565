"""Nova's quotas: cores, memory and instances of a project in one region.

Nova counts by region and knows no zones. It refuses a limit below usage and a project
that Keystone does not know. No options.
"""

from quotas.backends.base import KeySpec
from quotas.backends.counting import LARGEST
from quotas.backends.quotasets import QuotaSets
from quotas.backends.sorting import Rule


class NovaDriver(QuotaSets):
    """The quota driver for Nova. `ram` is in MiB."""

    SERVICE = "Nova"
    SERVICE_TYPE = "compute"
    SPECS = (
        KeySpec("cores", "", 1, LARGEST),
        KeySpec("ram", "B", 2**20, LARGEST),
        KeySpec("instances", "", 1, LARGEST),
    )
    RULES = (
        Rule(400, "is not a valid project", "project_gone"),
        Rule(400, "already used and reserved", "below_usage"),
        Rule(400, "is greater than the maximum of", "above_maximum"),
        Rule(400, "additional properties are not allowed", "unknown_key"),
    )
    # Nothing about quota sets changed after 2.57; what changed before are other keys.
    MICROVERSIONS = ((2, 1), (2, 57))
    DETAIL_PATH = "/detail"
