"""Is anything called applied that is not? Asked again and again while the soak runs.

Remit's claim is read before and after the cloud is: where it is the same one both times, with
no decision and no delivery between, the cloud must hold the value that is claimed.
"""

import threading
from collections import defaultdict

import psycopg

from contrib.soak import records
from contrib.soak.clouds import SERVICE_OF, SoakCloud
from contrib.soak.figures import Figures
from contrib.soak.records import Claim

PAUSE_SECONDS = 0.4


class Watcher(threading.Thread):
    """Samples until it is told to stop; `false_claims` are what it found."""

    def __init__(self, database_url: str, cloud: SoakCloud, figures: Figures) -> None:
        super().__init__(name="watcher", daemon=True)
        self._database_url = database_url
        self._cloud = cloud
        self._figures = figures
        self.stopping = threading.Event()
        self.false_claims: list[str] = []
        self.crashes: list[str] = []

    def run(self) -> None:
        try:
            while not self.stopping.wait(PAUSE_SECONDS):
                self._cloud.gather()
                try:
                    with psycopg.connect(self._database_url, autocommit=True) as connection:
                        self.sample(connection)
                except psycopg.OperationalError:
                    continue  # the database is down at the moment
        except Exception as error:  # noqa: BLE001 told at the end, as a difference
            self.crashes.append(f"the watcher ended: {error!r}")

    def sample(self, connection: psycopg.Connection) -> None:
        """Look once at every claim."""
        before = records.claims(connection)
        places: dict[tuple[str, str, str], list[Claim]] = defaultdict(list)
        for claim in before.values():
            places[claim.external_id, claim.limit.region, claim.limit.driver].append(claim)
        read = {
            (external_id, region, driver): self._cloud.limits(
                external_id, region, SERVICE_OF[driver]
            )
            for external_id, region, driver in places
        }
        after = records.claims(connection)
        for place, claims in places.items():
            found = read[place]
            if found is not None:
                self._judge([each for each in claims if after.get(_key(each)) == each], found)

    def _judge(self, claims: list[Claim], found: dict[str, int]) -> None:
        for claim in claims:
            self._figures.claims_checked += 1
            limit = claim.limit
            self._figures.claims.add((limit.target_id, limit.limit_id, claim.delivery_id))
            if found.get(limit.key) != limit.units:
                self.false_claims.append(
                    f"called applied and is not: {limit.key} of {limit.project} at "
                    f"{limit.endpoint} is {found.get(limit.key)}, claimed {limit.units} "
                    f"(delivery {claim.delivery_id})"
                )


def _key(claim: Claim) -> tuple[int, int]:
    return claim.limit.target_id, claim.limit.limit_id
