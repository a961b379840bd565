"""What happened in a soak, counted; printed while it runs and as a table at its end."""

import platform
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contrib.soak.schedule import FAULTS, KILLS


@dataclass
class Figures:
    """Counters of one run. `count` is safe for threads."""

    seed: int
    minutes: float
    cloud: str
    cpus: int
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    people: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    troubles: dict[str, int] = field(default_factory=dict)
    projects: int = 0
    claims_checked: int = 0
    claims: set[tuple[int, int, int]] = field(default_factory=set)
    settling_seconds: float = 0.0
    compared: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, what: str) -> None:
        with self._lock:
            self.people[what] += 1

    @property
    def writes(self) -> int:
        return self.calls["write"]

    def progress(self, elapsed: float) -> str:
        total = self.minutes * 60
        return (
            f"{_clock(elapsed)} of {_clock(total)}"
            f"  decisions {self.people['decisions sent']}"
            f" ({self.people['decisions accepted']} accepted,"
            f" {self.people['decisions unknown']} unknown)"
            f"  kills {self.kills.total()}  faults {self.faults.total()}"
            f"  writes {self.writes}  claims checked {self.claims_checked}"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "people": dict(self.people),
            "kills": {kind: self.kills[kind] for kind in KILLS},
            "faults": {kind: self.faults[kind] for kind in FAULTS},
            "hits": dict(self.hits),
            "writes": self.writes,
            "troubles": self.troubles,
            "projects": self.projects,
            "claims": len(self.claims),
            "claims_checked": self.claims_checked,
            "settling_seconds": self.settling_seconds,
            "compared": dict(self.compared),
            "differences": self.differences,
        }

    def table(self) -> str:
        """Every figure on a line of its own, the differences last."""
        people = self.people
        rows = [
            ("date", f"{self.began_at:%Y-%m-%d}"),
            ("machine", f"{self.cpus} cores, Python {platform.python_version()}"),
            ("cloud, minutes, seed", f"{self.cloud}, {self.minutes:g}, {self.seed}"),
            ("", ""),
            ("asked for", _fates(people, "asks")),
            ("decisions", _fates(people, "decisions")),
            ("  refused as stale", f"{people['decisions refused: stale']:,}"),
            ("  refused as conflict", f"{people['decisions refused: conflict']:,}"),
            ("  unknown, found booked", f"{self.compared['unknown decisions found booked']:,}"),
            ("", ""),
            ("kills (SIGKILL)", f"{self.kills.total():,}"),
            *((f"  {kind}", f"{self.kills[kind]:,}") for kind in KILLS),
            ("", ""),
            ("faults", f"{self.faults.total():,} set, {self.hits.total():,} calls met one"),
            *(
                (f"  {kind}", f"{self.faults[kind]:,} set, {self.hits[kind]:,} met")
                for kind in FAULTS
            ),
            ("", ""),
            ("projects made", f"{self.projects:,}"),
            ("calls to the cloud", f"{self.calls.total() - self.writes:,}"),
            ("writes", f"{self.writes:,}"),
            ("deliveries in trouble", f"{self.troubles.get('retrying', 0):,} tried again, "
             f"{self.troubles.get('refused', 0):,} refused for a while, "
             f"{self.troubles.get('below_usage', 0):,} as less than is used"),
            ("claims of applied checked", f"{len(self.claims):,}, "
             f"{self.claims_checked:,} times"),
            ("seconds of settling", f"{self.settling_seconds:.0f}"),
            ("", ""),
            *((what, f"{count:,} compared") for what, count in sorted(self.compared.items())
              if not what.startswith("unknown")),
            ("differences", f"{len(self.differences)}"),
        ]  # fmt: skip
        return "\n".join(f"{name:<28} {value}".rstrip() for name, value in rows)


def _fates(people: Counter[str], what: str) -> str:
    return (
        f"{people[f'{what} sent']:,} sent: {people[f'{what} accepted']:,} accepted, "
        f"{people[f'{what} refused']:,} refused, {people[f'{what} unsent']:,} not taken, "
        f"{people[f'{what} unknown']:,} unknown"
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
