"""What the parts of the suite share: the relay before the service, and small questions."""

from collections.abc import Iterator, Sequence

import pytest

from quotas.backends import BackendError, Kind, QuotaDriver
from quotas.backends.conformance.relay import Relay
from quotas.backends.conformance.subject import Subject

PATIENCE = 60.0
"""Seconds for a call that is to succeed: the first one after a start may take long."""


class Suite:
    """What the classes below share."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Subject:
        raise NotImplementedError("a fixture called subject says what is tested")

    @pytest.fixture(scope="class")
    @classmethod
    def relay(cls, subject: Subject) -> Iterator[Relay]:
        with Relay(subject.address) as relay:
            yield relay

    @pytest.fixture(scope="class")
    @classmethod
    def driver(cls, subject: Subject, relay: Relay) -> QuotaDriver:
        return subject.driver(relay.address)

    @pytest.fixture
    def project(self, subject: Subject) -> str:
        return subject.new_project()


def refusal(error: BackendError) -> tuple[Kind, str]:
    return error.kind, error.code


def limits_read(driver: QuotaDriver, project: str, keys: Sequence[str]) -> dict[str, int | None]:
    found = driver.read(project, keys, timeout=PATIENCE)
    return {key: figure.limit for key, figure in found.items()}
