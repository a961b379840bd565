"""The API's document: valid, the committed one, served to everybody, and true."""

import re
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from portal.lib.access import OK, ROWS
from quotas.tests.access.samples import SAMPLES
from quotas.tests.api import ROOT, caller
from quotas.tests.site import Site

COMMITTED = "docs/openapi.yaml"


def generated(tmp_path: Any) -> str:
    """The document of the code as it is; fails on any warning."""
    file = tmp_path / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    return str(file.read_text())


def patterns(resolver: URLResolver, prefix: str = "") -> list[tuple[str, URLPattern]]:
    found = []
    for each in resolver.url_patterns:
        path = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            found += patterns(each, path)
        elif path.startswith("api/v1/"):
            found.append((path, each))
    return found


def test_the_committed_document_is_that_of_the_code(tmp_path: Any, request: Any) -> None:
    committed = (request.config.rootpath / COMMITTED).read_text()
    assert committed == generated(tmp_path), (
        f"{COMMITTED} is behind: .venv/bin/python manage.py spectacular --file {COMMITTED}"
    )


@pytest.mark.parametrize(
    ("query", "kind"),
    [("", "application/vnd.oai.openapi"), ("?format=json", "application/vnd.oai.openapi+json")],
)
def test_the_document_is_served_without_a_sign_in(db: None, query: str, kind: str) -> None:
    answer = Client().get(f"{ROOT}schema/{query}")
    assert answer.status_code == 200
    assert answer["Content-Type"].split(";")[0] == kind
    document = yaml.safe_load(answer.content)
    assert document["openapi"].startswith("3.1")


def test_every_address_is_in_the_document_and_names_its_row(request: Any) -> None:
    document = yaml.safe_load((request.config.rootpath / COMMITTED).read_text())
    addresses = patterns(get_resolver())
    assert len(addresses) == len(document["paths"]) + 1  # the document itself is not in it
    for path, pattern in addresses:
        assert getattr(pattern.callback, "access_row", None) in ROWS, path


def test_every_operation_tells_of_what_the_table_of_access_refuses(request: Any) -> None:
    document = yaml.safe_load((request.config.rootpath / COMMITTED).read_text())
    told = {
        (method.upper(), plain(path)): set(operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    silent = []
    for path, pattern in patterns(get_resolver()):
        for sample in SAMPLES[str(pattern.name)] if pattern.name != "api_schema" else ():
            row = ROWS[sample.row or pattern.callback.access_row]  # type: ignore[attr-defined]
            refused = {str(status) for status in row.values() if status != OK}
            if refused - told[sample.method, f"/{plain(path)}"]:
                silent.append((sample.method, path))
    assert silent == []


def plain(path: str) -> str:
    """An address without the names of its arguments."""
    return re.sub(r"<[^>]+>|{[^}]+}", "{}", path)


def test_every_operation_has_words_an_answer_and_its_refusals(request: Any) -> None:
    document = yaml.safe_load((request.config.rootpath / COMMITTED).read_text())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            answers = operation["responses"]
            assert any(code.startswith("2") for code in answers), where
            assert {"401", "406", "503"} <= set(answers), where
            if "requestBody" in operation:
                assert {"400", "403", "404", "415", "422"} <= set(answers), where
            for code, answer in answers.items():
                if code >= "400":
                    name = answer["$ref"].removeprefix("#/components/responses/")
                    shared = document["components"]["responses"][name]
                    assert list(shared["content"]) == ["application/problem+json"], where


def test_examples_of_bodies_are_legal(site_today: Site, request: Any) -> None:
    document = yaml.safe_load((request.config.rootpath / COMMITTED).read_text())
    content = document["paths"]["/api/v1/requests/"]["post"]["requestBody"]["content"]
    example = content["application/json"]["examples"]["Sent"]["value"]
    answer = caller(site_today, "alice").post("requests/", example)
    assert answer.status_code == 201, answer.content
