"""Endpoints, the catalogue, units and delegations, and who sees figures."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from portal.testing.html import text_of
from projects.models import Unit
from quotas.models import (
    Capacity,
    Endpoint,
    Target,
)
from quotas.queries.units import MOST_UNITS
from quotas.states import EndpointState, TargetState
from quotas.tests.pages.deciding import (
    act,
    ask,
    form,
    page,
    refuse,
    signed_in,
    text,
)
from quotas.tests.site import Site, make_project
from quotas.tests.test_problems import give_repairs


def test_endpoints_tell_operators_the_services_own_words_escaped(site_today: Site) -> None:
    refuse(site_today, "<script>403</script> policy")
    url = reverse("endpoint_detail", args=["nova-geneva"])
    for name in ("otto", "audrey"):
        html = text(page(site_today, name, url))
        assert "&lt;script&gt;403&lt;/script&gt; policy" in html
        assert "ab12cd34" in html
    assert "Try now" in text(page(site_today, "otto", url))
    assert "Try now" not in text(page(site_today, "audrey", url))


def test_endpoint_list_counts_targets_and_names_silent_services(site_today: Site) -> None:
    refuse(site_today, "no")
    Endpoint.objects.filter(slug="cinder-geneva").update(state=EndpointState.UNREACHABLE)
    html = text(page(site_today, "otto", reverse("endpoint_list")))
    assert "does not answer" in html
    assert "refused" in html
    assert "1 of 3 services do not answer" in html


def test_endpoint_targets_can_be_narrowed_to_a_state(site_today: Site) -> None:
    target = refuse(site_today, "no")
    url = reverse("endpoint_detail", args=["nova-geneva"])
    shown = page(site_today, "otto", f"{url}?state=refused").context["page"].rows
    assert [each.pk for each in shown] == [target.pk]
    assert page(site_today, "otto", f"{url}?state=retrying").context["page"].rows == []


def test_retry_makes_a_target_due_again(site_today: Site) -> None:
    target = refuse(site_today, "no")
    client = signed_in(site_today, "otto")
    url = reverse("target_retry", args=["nova-geneva", target.pk])
    assert client.post(url).status_code == 302
    target.refresh_from_db()
    assert target.state == TargetState.DUE
    assert (
        client.post(reverse("target_retry", args=["cinder-geneva", target.pk])).status_code == 404
    )


def test_retry_of_an_applied_target_is_a_conflict(site_today: Site) -> None:
    target = refuse(site_today, "no")
    Target.objects.filter(pk=target.pk).update(state=TargetState.APPLIED, next_try_at=None)
    client = signed_in(site_today, "otto")
    assert client.post(reverse("target_retry", args=["nova-geneva", target.pk])).status_code == 409


def test_retry_of_an_endpoint_wakes_what_failed_and_not_what_was_skipped(site_today: Site) -> None:
    refused = refuse(site_today, "no")
    other = make_project(site_today, "other", "atlas", timezone.now())
    skipped = Target.objects.get(project=other, endpoint__slug="nova-geneva")
    Target.objects.filter(pk=skipped.pk).update(state=TargetState.SKIPPED, skip_reason="gone")
    client = signed_in(site_today, "otto")
    assert client.post(reverse("endpoint_retry", args=["nova-geneva"])).status_code == 302
    assert Target.objects.get(pk=refused.pk).state == TargetState.DUE
    assert Target.objects.get(pk=skipped.pk).state == TargetState.SKIPPED
    assert client.post(reverse("endpoint_retry", args=["nova-geneva"])).status_code == 409


def test_catalogue_tells_members_room_as_a_word_and_deciders_as_figures(site_today: Site) -> None:
    Capacity.objects.create(offering=site_today.vcpu, amount=1000, as_of=timezone.localdate())
    member = text(page(site_today, "bob", reverse("catalogue")))
    assert "ample" in member
    assert "0 of 1000" not in member
    assert "0 of 1000" in text(page(site_today, "dana", reverse("catalogue")))


def test_unit_shows_figures_only_to_those_who_decide_there(site_today: Site) -> None:
    asked = ask(site_today)
    act(site_today, "dana", "approve", asked, form(site_today, asked, do="asked"))
    atlas, above = (reverse("unit_detail", args=[slug]) for slug in ("atlas", "ep"))
    assert "100 of 1000" in text(page(site_today, "dana", atlas))
    assert "1000 of 2000" not in text(page(site_today, "dana", above))
    assert "1000 of 2000" in text(page(site_today, "erin", above))
    member = text(page(site_today, "bob", atlas))
    assert "100 of 1000" not in member
    assert "ample" in member
    assert "Dana" in member
    assert "Erin" not in member
    assert "atlas-reco" in member
    assert "atlas-reco" not in text(page(site_today, "mallory", atlas))


def test_units_are_a_tree_with_the_projects_one_sees(site_today: Site) -> None:
    # Of the words alone: a token may hold any two letters.
    said = text_of(text(page(site_today, "bob", reverse("unit_list"))))
    assert said.index("ORG") < said.index("EP") < said.index("ATLAS")
    assert "1 project" in said
    assert "1 project" not in text(page(site_today, "mallory", reverse("unit_list")))


def test_a_big_tree_of_units_shows_its_upper_levels_and_how_many_lie_below(site: Site) -> None:
    ep = Unit.objects.get(slug="ep")
    slugs = [f"small-{number}" for number in range(MOST_UNITS)]
    Unit.objects.bulk_create(
        Unit(slug=each, name=each, parent=ep, path=f"{ep.path}{each}/") for each in slugs
    )

    answer = page(site, "bob", reverse("unit_list"))

    (org,) = answer.context["roots"]
    (shown,) = (each for each in org.children if each.unit == ep)
    assert len(org.children) == org.child_count
    assert shown.hidden_count == shown.child_count - len(shown.children) > 0
    assert f"{shown.hidden_count} more below" in text_of(text(answer))


def test_remit_of_who_repairs_speaks_of_zones_and_not_of_amounts(site_today: Site) -> None:
    give_repairs(site_today, "rita", zone="compute-a")
    html = text(page(site_today, "rita", reverse("remit")))
    assert "Retry deliveries: compute-a" in html
    assert "By it nobody gives quota." in html
    assert "any amount" not in html


def test_remit_shows_bounds_and_chain(site_today: Site) -> None:
    html = text(page(site_today, "dana", reverse("remit")))
    assert "128" in html
    assert html.index("Otto") < html.index("Erin")
    assert "You hold no delegation" in text(page(site_today, "bob", reverse("remit")))


def test_delegation_is_seen_by_its_holder_and_above_only(site_today: Site) -> None:
    url = reverse("delegation_detail", args=[site_today.delegations["dana"].pk])
    statuses = {name: page(site_today, name, url).status_code for name in site_today.people}
    assert statuses == {
        "alice": 404, "bob": 404, "dana": 200, "erin": 200, "otto": 200, "mallory": 404,
        "rita": 404, "audrey": 200,
    }  # fmt: skip


def test_delegation_tells_how_it_stands(site_today: Site) -> None:
    erin = site_today.delegations["erin"]
    erin.revoked_at = timezone.now() - timedelta(minutes=1)
    erin.save(update_fields=["revoked_at"])
    dana = reverse("delegation_detail", args=[site_today.delegations["dana"].pk])
    assert "interrupted above" in text(page(site_today, "otto", dana))
    above = reverse("delegation_detail", args=[erin.pk])
    assert "revoked" in text(page(site_today, "otto", above))
