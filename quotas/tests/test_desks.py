"""What a wish is judged by, in the place of a service account."""

from datetime import timedelta
from typing import Any

import pytest

from portal.lib.together import Statement
from projects.actions import service_accounts
from projects.models import ApiToken, Project, ServiceAccount, User
from projects.states import Role
from quotas.queries.desks import asked_of
from quotas.tests.site import NOW, Site, join, make_project


def roles(user: User, account: ServiceAccount | None, project: Project) -> list[str]:
    """What the person has in the project, by a token of the account if there is one."""
    user.token = ApiToken(service_account=account) if account else None
    return [role for (role,) in asked_of(project, user, NOW, [])[2]]


def test_roles_count_in_the_place_alone_and_all_places_have_one_statement(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of each account's own would fill every process and every connection."""
    alice, erin = site.alice, site.erin
    lab = make_project(site, "ep-lab", "ep", NOW)
    for person in (alice, erin):
        join(lab, person, Role.OWNER, NOW - timedelta(hours=1))
    here, beside = (
        service_accounts.make(place=each, name=each.slug, actor=alice, now=NOW)
        for each in (site.project, lab)
    )
    above = service_accounts.make(place=site.units["atlas"], name="above", actor=erin, now=NOW)
    assert roles(alice, None, lab) == roles(alice, beside, lab) == ["owner"]
    assert roles(alice, here, lab) == roles(erin, above, lab) == []

    made = []
    make = Statement.of

    def counting(parts: Any) -> Statement:
        made.append(parts)
        return make(parts)

    monkeypatch.setattr(Statement, "of", counting)
    assert roles(alice, here, site.project) == roles(alice, above, site.project) == ["owner"]
    assert roles(alice, beside, site.project) == []
    assert made == []
