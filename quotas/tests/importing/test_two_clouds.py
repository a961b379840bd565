"""Two identity services: projects of one name are one, and must not say different things."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from contrib.sandbox.control import running_sandbox
from contrib.testing.plain import PlainClient
from projects.actions.projects import set_role
from projects.models import Project, User
from projects.states import ProjectState, Role
from quotas.models import ProjectHandle
from quotas.tests.importing.test_import import run

pytestmark = pytest.mark.django_db

SITE = """
identity:
  here: {name: Here, driver: keystone, cloud: here, region_name: geneva, people: {by: name}}
  there: {name: There, driver: keystone, cloud: there, region_name: geneva, people: {by: name}}
units: {org: Organisation, lab: Laboratory}
people: {alice: {name: Alice}, bob: {name: Bob}}
"""
RULES = """
rules:
  - {name: admin, leave_out: true}
  - {name: "*", unit: org}
roles: {admin: owner, member: member, reader: reader}
accept: [no owner]
"""


def test_one_name_in_two_clouds_is_one_project(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    with running_sandbox(tmp_path / "here") as here, running_sandbox(tmp_path / "there") as there:
        clouds = {
            name: json.loads(each.clouds_yaml.read_text())["clouds"]["sandbox"]
            for name, each in (("here", here), ("there", there))
        }
        both = tmp_path / "clouds.yaml"
        both.write_text(json.dumps({"clouds": clouds}))
        settings.CLOUDS_YAML = str(both)
        site = tmp_path / "site.yaml"
        site.write_text(SITE)
        call_command("load_catalogue", str(site), "--yes", stdout=io.StringIO())
        plain = {name: PlainClient(both, name) for name in clouds}
        ids = {
            (cloud, name): plain[cloud].done(
                "POST", "identity", "/projects",
                {"project": {"name": name, "domain_id": "default", "enabled": is_enabled}},
            )["project"]["id"]
            for cloud, name, is_enabled in (
                ("here", "both", True), ("there", "Both", True), ("here", "torn", True),
                ("there", "torn", False), ("there", "alone", True),
            )
        }  # fmt: skip
        code, said = run(answers=RULES, folder=tmp_path)
        assert (code, "here enabled, there disabled" in said) == (1, True)
        assert "that workers will make where they are not: 1." in said
        assert handles() == {
            ("both", "here", ids["here", "both"]), ("both", "there", ids["there", "Both"]),
            ("alone", "there", ids["there", "alone"]),
        }  # fmt: skip
        both_tagged = Project.objects.get(name="both").tag
        for cloud, name in (("here", "both"), ("there", "Both")):
            assert plain[cloud].project(ids[cloud, name])["tags"] == [both_tagged]  # type: ignore[index]  # it is there
        answered = f"{RULES}projects: {{{ids['there', 'torn']}: {{like: here}}}}\n"
        assert run(answers=answered, folder=tmp_path)[0] == 0
        assert {row[1:] for row in handles() if row[0] == "torn"} == {
            ("here", ids["here", "torn"]), ("there", ids["there", "torn"]),
        }  # fmt: skip
        # One that came to the other cloud since: where all agree, it is the same project.
        body = {"project": {"name": "alone", "domain_id": "default"}}
        late = plain["here"].done("POST", "identity", "/projects", body)["project"]["id"]
        # It knows people of it by other roles: nobody has less by that.
        for name, role in (("alice", Role.OWNER), ("bob", Role.READER)):
            set_role(
                project=Project.objects.get(name="alone"), role=role, actor=None,
                user=User.objects.get(subject=name), now=timezone.now(),
            )  # fmt: skip
            grant(plain["here"], late, plain["here"].new_user(name), "member")
        other = answered.replace("unit: org", "unit: lab")
        code, said = run(answers=other, folder=tmp_path)
        assert (code, "alone" in said, "lab, org" in said) == (1, True, True)
        assert ("alone", "here", late) not in handles()
        assert run(answers=answered, folder=tmp_path)[0] == 0
        assert ("alone", "here", late) in handles()
        people = Project.objects.get(name="alone").memberships.filter(ends_at=None).order_by("role")
        assert [(str(each.user), each.role) for each in people] == [
            ("Bob", Role.MEMBER), ("Alice", Role.OWNER),
        ]  # fmt: skip
        # What workers left of one that was closed is nobody's to take over.
        Project.objects.filter(name="torn").update(state=ProjectState.CLOSED)
        ProjectHandle.objects.filter(project__name="torn").delete()
        code, said = run(answers=answered, folder=tmp_path)
        assert (code, "another" in said) == (0, False)
        tag = Project.objects.get(name="alone").tag
        assert plain["here"].project(late)["tags"] == [tag]  # type: ignore[index]  # it is there


def grant(plain: PlainClient, project_id: str, user_id: str, role: str) -> None:
    rows = plain.done("GET", "identity", "/roles")["roles"]
    role_id = next(row["id"] for row in rows if row["name"] == role)
    path = f"/projects/{project_id}/users/{user_id}/roles/{role_id}"
    plain.done("PUT", "identity", path)


def handles() -> set[tuple[str, str, str]]:
    rows = ProjectHandle.objects.order_by("pk")
    return set(rows.values_list("project__name", "identity__slug", "external_id"))
