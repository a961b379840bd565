"""Calls that the API's document allows, or just does not, about rows that exist.

schemathesis makes them from the document; the samples of the table of access give addresses
that lead to something, and bodies that do something, for it to spoil.
"""

import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from django.core.signals import got_request_exception
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from hypothesis import strategies as st
from schemathesis import Case as Call
from schemathesis import GenerationMode, openapi
from schemathesis.checks import CHECKS
from schemathesis.core import NOT_SET
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from portal.lib.access import OK, ROWS
from quotas.tests.access.case import Case
from quotas.tests.access.samples import SAMPLES
from quotas.tests.access.sending import Sample
from quotas.tests.test_access import row_of, urls
from quotas.tests.test_tokens import token_for

SCHEMA = "/api/v1/schema/?format=json"
ROLES = ("owner", "decider", "operator", "repairer", "stranger")
# Of these the document tells more in words than as a schema: what fits it is refused mostly.
IN_WORDS = frozenset({"fields", "cursor", "updated_since", "updated_until"})
ANSWERS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance",
]  # fmt: skip


@dataclass
class Contract:
    """The document as it is served, and who calls about what."""

    case: Case
    tokens: dict[str, str]
    operations: list[APIOperation]
    samples: dict[str, list["Known"]]
    answered: dict[int, int] = field(default_factory=dict)

    def path_of(self, operation: APIOperation, sample: Sample) -> dict[str, Any]:
        """The arguments of an address, by the names of the document; nothing that it made stays."""
        with transaction.atomic():
            found = sample.kwargs(self.case).values()
            transaction.set_rollback(True)
        values = [each if isinstance(each, int) else str(each) for each in found]
        return dict(zip(_placeholders(operation.path), values, strict=True))


@dataclass(frozen=True)
class Known:
    """A sample of an operation, and the roles that may do it."""

    sample: Sample
    who: tuple[str, ...]


def contract_of(case: Case) -> Contract:
    """Reads the document from the site, through the door that clients use."""
    found = openapi.from_wsgi(SCHEMA, get_wsgi_application())
    tokens = {role: token_for(case.people[role])[1] for role in ROLES}
    operations = []
    for each in found.get_all_operations():
        assert isinstance(each, Ok), each
        operations.append(each.ok())
    return Contract(case, tokens, operations, _samples())


def _samples() -> dict[str, list[Known]]:
    """{operation as `POST /api/v1/…`, arguments as {}: its samples}."""
    found: dict[str, list[Known]] = {}
    for route, pattern in urls():
        name = pattern.name or ""
        for sample in SAMPLES.get(name, []) if route.startswith("api/v1/") else ():
            row = ROWS[sample.row or row_of(name)]
            known = Known(sample, tuple(each for each in ROLES if row[each] == OK))
            found.setdefault(f"{sample.method} /{_plain(route)}", []).append(known)
    return found


def _plain(path: str) -> str:
    return re.sub(r"<[^>]+>|{[^}]+}", "{}", path)


def _placeholders(path: str) -> list[str]:
    return re.findall(r"{([^}]+)}", path)


@dataclass(frozen=True)
class Try:
    """One call: by whom, about which sample, and which of the sample's values are sent."""

    role: str
    call: Call
    sample: Sample | None
    kept: frozenset[str] = frozenset()


def tries(contract: Contract, operation: APIOperation, mode: GenerationMode) -> st.SearchStrategy:
    """Calls of one operation by any of the roles, half of them by those who may.

    Of legal ones most values are the sample's, so that they come as far as the action: the
    simplest one, which is tried first, is the sample as it is.
    """
    known = contract.samples[f"{operation.method.upper()} {_plain(operation.path)}"]
    paths = {n: contract.path_of(operation, each.sample) for n, each in enumerate(known)}

    @st.composite
    def build(draw: Callable[..., Any]) -> Try:
        number = draw(st.integers(0, len(known) - 1))
        sample, who = known[number].sample, known[number].who
        role = draw(st.sampled_from(ROLES if draw(st.booleans()) else who or ROLES))
        if mode.is_negative:
            call = draw(operation.as_strategy(generation_mode=mode, path_parameters=paths[number]))
            return Try(role, call, None)
        call = draw(operation.as_strategy(generation_mode=mode))
        if call.query and draw(st.integers(0, 3)) < 3:
            call.query = {name: call.query[name] for name in call.query.keys() - IN_WORDS}
        if draw(st.integers(0, 9)) == 9:  # an address that leads nowhere, most likely
            return Try(role, call, None)
        call.path_parameters = paths[number]
        names = sorted(sample.data(contract.case)) if call.body is not NOT_SET else []
        kept = draw(st.sets(st.sampled_from(names))) if names and draw(st.booleans()) else names
        return Try(role, call, sample, frozenset(kept))

    return build()


def has_input(operation: APIOperation) -> bool:
    """Whether anything beside the address can be wrong."""
    return bool(operation.body) or any(True for _each in operation.query)


def make(contract: Contract, attempt: Try, *checks: str) -> None:
    """Send a call, undo what it did, and raise for an answer that the document does not know."""
    with transaction.atomic(), _faults() as faults:
        call = attempt.call
        if attempt.sample is not None:
            _fill(contract.case, call, attempt)
        answer = call.call(headers={"Authorization": f"Bearer {contract.tokens[attempt.role]}"})
        transaction.set_rollback(True)
    assert not faults, f"{attempt.role} {call.as_curl_command()}\n{faults[0]}"
    contract.answered[answer.status_code] = contract.answered.get(answer.status_code, 0) + 1
    # What was wrong with the rest is not looked at any more where the version is another.
    more = [] if answer.status_code == 412 else checks
    known: Any = CHECKS.get_by_names([*ANSWERS, *more])
    try:
        call.validate_response(answer, checks=known)
    except FailureGroup as error:
        told = "\n".join(str(each) for each in error.exceptions)
        raise AssertionError(f"{attempt.role} {call.as_curl_command()}\n{told}") from error


def _fill(case: Case, call: Call, attempt: Try) -> None:
    """The values of the sample that are kept, as its rows are now."""
    sample = attempt.sample
    assert sample is not None
    sample.kwargs(case)  # what it takes to be possible
    if isinstance(call.body, dict):
        ours = sample.data(case)
        call.body = call.body | {name: ours[name] for name in attempt.kept}
    if sample.query:
        call.query = {**call.query, **dict(parse_qsl(sample.query.removeprefix("?")))}


@contextmanager
def _faults() -> Iterator[list[str]]:
    """What the site did not catch itself."""
    found: list[str] = []

    def note(**_more: Any) -> None:
        found.append(traceback.format_exc())

    got_request_exception.connect(note)
    try:
        yield found
    finally:
        got_request_exception.disconnect(note)
