"""Calling the API in tests, as a person of the cast, in one process with the test."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.test import Client

from quotas.models import QuotaRequest
from quotas.tests.site import Site

if TYPE_CHECKING:
    # What the test client answers with, which has a name only in django-stubs.
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

ROOT = "/api/v1/"


@dataclass
class Caller:
    """A signed-in person, or nobody, and what they get."""

    client: Client

    def get(self, path: str, **query: Any) -> "Answer":
        return self.client.get(ROOT + path, query)

    def post(self, path: str, body: Any = None) -> "Answer":
        return self.client.post(ROOT + path, {} if body is None else body, "application/json")

    def put(self, path: str, body: Any) -> "Answer":
        return self.client.put(ROOT + path, body, "application/json")

    def delete(self, path: str) -> "Answer":
        return self.client.delete(ROOT + path)

    def send(self, path: str, raw: bytes, content_type: str = "application/json") -> "Answer":
        """A body as it is, well-formed or not."""
        return self.client.generic("POST", ROOT + path, raw, content_type)


def caller(site: Site, name: str = "") -> Caller:
    """A person of the cast by name; without one nobody is signed in."""
    client = Client()
    if name:
        client.force_login(site.people[name])
    return Caller(client)


def submit(site: Site, lines: dict[str, int] | None = None, **more: Any) -> QuotaRequest:
    """Alice asks for the project through the API."""
    answer = caller(site, "alice").post(
        "requests/",
        {"project": "atlas-reco", "lines": lines or {site.vcpu.slug: 100}, "reason": "tests"}
        | more,
    )
    assert answer.status_code == 201, answer.content
    return QuotaRequest.objects.get(pk=answer.json()["id"])


def approval(site: Site, asked: QuotaRequest, **more: Any) -> dict[str, Any]:
    """The body that grants every line as asked, by the figures of now."""
    asked.refresh_from_db()
    lines = list(asked.lines.select_related("offering"))
    return {
        "granted": {str(line.pk): line.wanted for line in lines},
        "seen": {str(line.pk): site.quota(line.offering) for line in lines},
        "version": asked.version,
    } | more


def refusal(answer: "Answer") -> tuple[int, str]:
    """The status and code of a problem, whose shape is checked on the way."""
    assert answer["Content-Type"] == "application/problem+json", answer.content
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "code", "detail", "errors", "facts", "links"}
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"/api/problems/{problem['code']}/"
    assert problem["detail"]
    return answer.status_code, problem["code"]


def grant(site: Site) -> int:
    """Alice asks for 100 vCPU, Dana grants them; the number of the decision."""
    asked = submit(site)
    answer = caller(site, "dana").post(f"requests/{asked.pk}/approve/", approval(site, asked))
    assert answer.status_code == 200, answer.content
    return int(answer.json()["id"])


def results(answer: "Answer") -> list[dict[str, Any]]:
    """The rows of a page of a list."""
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows
