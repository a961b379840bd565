"""Where a refusal leads on: why, for whom it waits, and what stands in the way, as addresses."""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.urls import reverse
from rest_framework.request import Request

from quotas.models import QuotaRequest

# Facts that name a thing which has an address: {fact: (name of the URL, its argument)}.
_THINGS = {
    "request": ("api_request", "pk"),
    "delegation": ("api_delegation", "pk"),
    "drift": ("api_drift", "pk"),
    "target": ("api_target", "pk"),
}
# Addresses that are about a request, by what they begin with.
_OF_REQUEST = "api_request"


def links_of(facts: Mapping[str, Any], request: Request | None) -> dict[str, str]:
    """{what: address}. `explain` is why no more is possible and who can help; `waiting`, for whom.

    The addresses are for the same caller: what they may not see is 404 there.
    """
    links = {
        fact: reverse(name, kwargs={argument: facts[fact]})
        for fact, (name, argument) in _THINGS.items()
        # What a caller named themselves may be no number of a row.
        if isinstance(facts.get(fact), int) and facts[fact] > 0
    }
    number = _number(request)
    slug = facts.get("project") or _project_of(number, facts)
    offering = facts.get("offering")
    if isinstance(offering, str) and isinstance(slug, str):
        links["explain"] = f"{reverse('api_explain', kwargs={'slug': slug})}?offering={offering}"
        if number is not None:
            links["waiting"] = reverse("api_request_waiting", kwargs={"pk": number})
    return links


def _number(request: Request | None) -> int | None:
    """The request that the call is about."""
    match = getattr(request, "resolver_match", None)
    if match is None or not (match.url_name or "").startswith(_OF_REQUEST):
        return None
    return match.kwargs.get("pk")


def _project_of(number: int | None, facts: Mapping[str, Any]) -> str | None:
    """Of whoever was told an offering: they got past being told whether the request exists."""
    if number is None or "offering" not in facts or connection.needs_rollback:
        return None
    rows = QuotaRequest.objects.filter(pk=number).values_list("project__slug", flat=True)
    return rows.first()
