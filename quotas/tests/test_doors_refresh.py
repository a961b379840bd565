"""One domain, two doors, for readings that are asked for: of one target, and of several."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from quotas.models import Endpoint, Target
from quotas.states import TargetState
from quotas.tests.site import Site
from quotas.tests.test_problems import target_of

DONE = 200


def at(site: Site, door: str, person: str, verb: str, **changes: Any) -> tuple[int, list[Any]]:
    """The status, and which targets are to be read by then; all is undone."""
    with transaction.atomic():
        state = changes.pop("endpoint_state", "open")
        Endpoint.objects.filter(slug="nova-geneva").update(state=state)
        target = target_of(site.project)
        values = {
            "state": TargetState.APPLIED, "observed_at": timezone.now(),
            "looked_at": timezone.now().replace(year=2020),
        } | changes  # fmt: skip
        Target.objects.filter(pk=target.pk).update(**values)
        client = Client()
        client.force_login(site.people[person])
        if door == "page" and verb == "one":
            url = reverse("target_refresh", args=["nova-geneva", target.pk])
            status = client.post(url).status_code
        elif door == "page":
            url = reverse("endpoint_refresh", args=["nova-geneva"])
            status = client.post(url, {"target": [target.pk]}).status_code
        elif verb == "one":
            url = reverse("api_target_refresh", args=[target.pk])
            status = client.post(url, {}, "application/json").status_code
        else:
            url = reverse("api_endpoint_refresh", args=["nova-geneva"])
            status = client.post(url, {"targets": [target.pk]}, "application/json").status_code
        asked = list(
            Target.objects.filter(looked_at=None, observed_at__isnull=False).order_by("pk")
        )
        transaction.set_rollback(True)
    return DONE if status == 302 else status, asked


@pytest.mark.parametrize("verb", ["one", "several"])
@pytest.mark.parametrize(
    ("status", "person", "changes"),
    [
        (DONE, "otto", {}),
        *((403, name, {}) for name in ("alice", "mallory", "dana", "audrey")),
        (409, "otto", {"looked_at": timezone.now().replace(year=2100)}),
        (409, "otto", {"state": TargetState.DUE}),
        (409, "otto", {"endpoint_state": "paused"}),
        (409, "otto", {"endpoint_state": "unreachable"}),
    ],
)
def test_both_doors_ask_and_refuse_alike(
    site_today: Site, verb: str, status: int, person: str, changes: dict[str, Any]
) -> None:
    by_page, by_api = (at(site_today, door, person, verb, **changes) for door in ("page", "api"))
    assert by_page == by_api
    assert by_page[0] == status
    assert bool(by_page[1]) is (status == DONE)
