"""How a file says that endpoints are treated: calls at once and a second; drift."""

from quotas.states import DriftPolicy

from . import site, words
from .document import Block, Text, nearest
from .problems import Problems

MANNERS = ("concurrency", "calls_per_second", "drift")
MOST = 1000


def read_manners(block: Block, above: Block | None, problems: Problems) -> site.Manners:
    """What the block says, else what the one above says, as a service for its regions."""

    def of(key: str) -> Text | None:
        value = block.get(key) or (above.get(key) if above else None)
        return value.text(most=20) if value else None

    def number(key: str) -> int | None:
        text = of(key)
        return words.whole(text, MOST, problems) if text else None

    drift = of("drift")
    if drift is not None and drift.value not in DriftPolicy.values:
        problems.add(
            drift.line,
            f"{drift} is nothing that drift can lead to{nearest(drift.value, DriftPolicy.values)}",
        )
        drift = None
    return site.Manners(
        number("concurrency"),
        number("calls_per_second"),
        drift.value if drift else DriftPolicy.REPORT.value,
    )
