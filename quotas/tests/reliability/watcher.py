"""Looks at a target and its cloud all the time: is it ever called applied while it is not?"""

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from django.db import connection

from contrib.testing.plain import PlainClient
from portal.testing.waiting import wait_until
from quotas.models import Delivery
from quotas.states import TargetState
from quotas.tests.reliability.works import Piece

BETWEEN_SECONDS, PATIENCE_SECONDS = 0.02, 20


@dataclass(frozen=True)
class _Claim:
    """What the rows say at a moment; `granted` is what they say that the cloud has."""

    state: str
    generation: int
    applied_generation: int
    is_delivered: bool
    granted: int

    @property
    def is_applied(self) -> bool:
        """Any of the places that people read says so."""
        is_current = self.generation == self.applied_generation
        return self.is_delivered or (self.state == TargetState.APPLIED and is_current)


class Watcher:
    """A context manager around what happens to a piece at Nova. At its end nothing was false,
    and there was something to see."""

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        cloud = piece.works.cloud
        self._plain = PlainClient(cloud.site.clouds_yaml, cloud.cloud)
        self._external_id = piece.external_id
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.false: list[tuple[_Claim, int]] = []
        self.true_count = 0
        self.withheld_count = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.set()
        self._thread.join(20)
        if error is None:
            # What it ended with is looked at, too, however soon after it this is.
            wait_until(self._has_seen_it_applied, PATIENCE_SECONDS, "it was seen applied")
            assert self.false == []
            assert self.withheld_count

    def _watch(self) -> None:
        try:
            while not self._ends.wait(BETWEEN_SECONDS):
                self._look()
        finally:
            connection.close()

    def _has_seen_it_applied(self) -> bool:
        self._look()
        return bool(self.true_count or self.false)

    def _look(self) -> None:
        before = self._claim()
        limits = self._plain.compute_limits(self._piece.works.region, self._external_id)
        if self._claim() != before:
            return  # it changed under our eyes: the next look tells
        if not before.is_applied:
            self.withheld_count += 1
        elif limits["cores"] == before.granted:
            self.true_count += 1
        else:
            self.false.append((before, limits["cores"]))

    def _claim(self) -> _Claim:
        site = self._piece.works.site
        target = self._piece.target()
        last = Delivery.objects.filter(target=target).latest("pk")
        return _Claim(
            state=target.state,
            generation=target.generation,
            applied_generation=target.applied_generation,
            is_delivered=last.applied_at is not None,
            granted=site.quota(site.vcpu, self._piece.project),
        )
