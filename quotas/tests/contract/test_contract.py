"""The whole document, by schemathesis: no server error, no answer that is not in it.

Five roles with tokens call every operation, with what it allows and with what it does not,
about rows that exist. Each call is undone. `make contract` does the same for minutes, at random.
"""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from portal.testing.figures import FIGURES
from quotas.tests.access.case import make_case
from quotas.tests.contract.calls import Contract, Try, contract_of, has_input, make, tries
from quotas.tests.site import make_site

LONG = int(os.environ.get("CONTRACT_EXAMPLES", "0"))
HOW = settings(
    database=None, deadline=None, derandomize=not LONG, suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink] if LONG else [Phase.generate],
)  # fmt: skip
LEGAL, ILLEGAL = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def contract(module_database: object) -> Iterator[Contract]:
    """As Django's own test client: the connection outlives a call, as its transaction does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield contract_of(make_case(make_site(timezone.now() - timedelta(days=1))))
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("mode", [LEGAL, ILLEGAL], ids=["legal", "illegal"])
def test_no_call_is_answered_with_what_is_not_in_the_document(
    contract: Contract, mode: GenerationMode, record_property: Callable[[str, str], None]
) -> None:
    checks = ["negative_data_rejection"] if mode == ILLEGAL else []
    wrong: list[str] = []
    for operation in contract.operations:
        if mode == ILLEGAL and not has_input(operation):
            continue
        many = LONG or (4 if mode == LEGAL else 2)

        @settings(HOW, max_examples=many)
        @given(tries(contract, operation, mode))
        def check(attempt: Try) -> None:
            make(contract, attempt, *checks)

        try:
            check()
        except BaseExceptionGroup as error:
            wrong += [f"{operation.label}: {each}" for each in error.exceptions]
        except Exception as error:  # noqa: BLE001 - each operation is told of, not the first alone
            wrong.append(f"{operation.label}: {error}")
    told = ", ".join(f"{n} x {status}" for status, n in sorted(contract.answered.items()))
    record_property(FIGURES, f"Calls of the API so far ({mode}): {told}")
    assert not wrong, "\n\n".join(wrong)
