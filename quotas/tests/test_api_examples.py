"""The examples of the API's document: one for each body and answer, legal, of calls that were made.

`make examples` records those that are missing or do not fit any more.
"""

import json
from typing import Any

import jsonschema_rs
import pytest
import yaml

from quotas.api.document import EXAMPLES, example_places, operations


def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    text = (request.config.rootpath / "docs" / "openapi.yaml").read_text()
    found: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return found


def wrong_with(whole: dict[str, Any], schema: dict[str, Any], value: Any) -> str:
    """Why a value is not of the shape; empty: it is."""
    full = {**schema, "components": whole["components"]}
    validator = jsonschema_rs.Draft202012Validator(full, validate_formats=True)
    return "; ".join(
        f"{each.instance_path}: {each.message}" for each in validator.iter_errors(value)
    )


def test_each_body_and_answer_has_an_example_that_is_legal(request: pytest.FixtureRequest) -> None:
    whole = document(request)
    wrong = []
    for path, method, operation in operations(whole):
        for kind, place in example_places(operation):
            example = place.get("examples", {}).get(kind.capitalize())
            said = wrong_with(whole, place["schema"], example["value"]) if example else "no example"
            wrong += [f"{method} {path} {kind}: {said}"] if said else []
    assert wrong == [], "make examples records them"


def test_each_example_is_of_an_operation_that_exists(request: pytest.FixtureRequest) -> None:
    known = {each["operationId"] for _path, _method, each in operations(document(request))}
    assert set(json.loads(EXAMPLES.read_text())) - known == set()
