"""The sandbox as a program and a bench: what it keeps, what it holds, what it refuses."""

import contextlib
import json
import os
import stat
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from contrib.sandbox.control import RunningSandbox, running_sandbox
from contrib.sandbox.program import ROOT
from contrib.testing.plain import PlainClient, Reply

FIELDS = {"name": "p-kept", "domain_id": "default", "tags": ["remit:kept"]}


def make_project(plain: PlainClient, name: str) -> str:
    body = {"project": {"name": name, "domain_id": "default"}}
    project_id: str = plain.done("POST", "identity", "/projects", body)["project"]["id"]
    return project_id


def plain_of(sandbox: RunningSandbox) -> PlainClient:
    return PlainClient(sandbox.clouds_yaml, "sandbox")


def start(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "contrib.sandbox", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_state_outlives_the_process(tmp_path: Path, end: str) -> None:
    with running_sandbox(tmp_path) as sandbox:
        plain = plain_of(sandbox)
        project = plain.done("POST", "identity", "/projects", {"project": FIELDS})["project"]
        path = f"/os-quota-sets/{project['id']}"
        plain.done("PUT", "compute", path, {"quota_set": {"cores": 7}}, region="geneva")
        sandbox.set_usage("p-kept", "geneva", "compute", {"cores": 3}, reserved={"cores": 1})

        getattr(sandbox, end)()
        sandbox.start()

        plain = plain_of(sandbox)
        assert plain.project(project["id"]) == project
        found = plain.done("GET", "compute", f"{path}/detail", region="geneva")["quota_set"]
        assert found["cores"] == {"limit": 7, "in_use": 3, "reserved": 1}


def test_limits_in_keystone_flavors_and_storage_outlive_the_process(tmp_path: Path) -> None:
    where = {"service_id": "service-nova", "region_id": "geneva", "resource_name": "servers"}
    storage = "/geneva/storage/admin/user"
    with running_sandbox(tmp_path) as sandbox:
        plain = plain_of(sandbox)
        project = make_project(plain, "p-kept")
        fields = {"registered_limits": [{**where, "default_limit": 3}]}
        plain.done("POST", "identity", "/registered_limits", fields)
        own = {**where, "project_id": project, "resource_limit": 5}
        plain.done("POST", "identity", "/limits", {"limits": [own]})
        flavor = {"name": "private", "os-flavor-access:is_public": False}
        made = plain.done("POST", "compute", "/flavors", {"flavor": flavor}, region="geneva")
        path = f"/flavors/{made['flavor']['id']}"
        grant = {"addTenantAccess": {"tenant": project}}
        plain.done("POST", "compute", f"{path}/action", grant, region="geneva")
        keys = yaml.safe_load(sandbox.clouds_yaml.read_text())["clouds"]["sandbox"]["rgw"]["geneva"]
        signed = {"Authorization": f"AWS4-HMAC-SHA256 Credential={keys['access_key']}/x/s3"}
        stored = ask(sandbox, "PUT", f"{storage}?uid=someone", signed)

        sandbox.kill()
        sandbox.start()

        plain = plain_of(sandbox)
        limits = plain.done("GET", "identity", f"/limits?project_id={project}")["limits"]
        assert [row["resource_limit"] for row in limits] == [5]
        access = plain.done("GET", "compute", f"{path}/os-flavor-access", region="geneva")
        assert [row["tenant_id"] for row in access["flavor_access"]] == [project]
        assert ask(sandbox, "GET", f"{storage}?uid=someone", signed) == stored
        assert sandbox.clouds_yaml.read_text().count(keys["access_key"]) == 1


def ask(sandbox: RunningSandbox, method: str, path: str, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(sandbox.url + path, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as sandbox:
        for path in (sandbox.clouds_yaml, sandbox.state_file):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clouds.yaml", "sandbox.json"]


def test_it_ends_on_sigterm_while_it_holds_a_call(tmp_path: Path) -> None:
    def ask() -> None:
        # Answered or cut off, whichever the end of the server came to first.
        with contextlib.suppress(OSError):
            plain.project("x")

    with running_sandbox(tmp_path) as sandbox:
        plain = plain_of(sandbox)
        pause = sandbox.pause(service="identity")
        thread = threading.Thread(target=ask)
        thread.start()
        pause.wait_until_held()
        assert sandbox.stop() == 0
    thread.join(20)
    assert not thread.is_alive()


def test_it_refuses_an_external_database() -> None:
    done = start(DATABASE_URL="postgresql://db.example.org/remit", REMIT_SANDBOX="")
    assert done.returncode == 2
    assert done.stderr == (
        "The sandbox cloud does not run beside an external database (DATABASE_URL is set); "
        "REMIT_SANDBOX=allow runs it all the same.\n"
    )


def test_a_taken_port_is_one_sentence(sandbox: RunningSandbox) -> None:
    done = start("--port", str(sandbox.port), REMIT_SANDBOX="allow")
    assert (done.returncode, done.stderr) == (
        2,
        f"Port {sandbox.port} cannot be used: Address already in use\n",
    )


def test_a_broken_state_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text(json.dumps({"projects": 3}))
    done = start("--state-file", str(path), REMIT_SANDBOX="allow")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{path} is not a sandbox's state: ")


def test_totals_follow_the_types(sandbox: RunningSandbox) -> None:
    plain = plain_of(sandbox)
    project_id = make_project(plain, "p-totals")
    sandbox.set_usage(
        "p-totals", "geneva", "volume", {"gigabytes_storage-a": 5, "gigabytes_storage-b": 7}
    )
    sandbox.set_usage("p-totals", "geneva", "volume", {"gigabytes_storage-a": 6})
    path = f"/os-quota-sets/{project_id}?usage=True"
    found = plain.done("GET", "volumev3", path, region="geneva")["quota_set"]
    assert found["gigabytes"]["in_use"] == 13
    other = plain.done("GET", "volumev3", path, region="prevessin")["quota_set"]
    assert other["gigabytes"]["in_use"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody", "geneva", "compute", {"cores": 1}), "no project is called 'nobody'"),
        (("admin", "atlantis", "compute", {"cores": 1}), "no region is called 'atlantis'"),
        (("admin", "geneva", "weather", {"cores": 1}), "no service is called 'weather'"),
        (("admin", "geneva", "compute", {"volumes": 1}), "compute counts no 'volumes'"),
        (("admin", "geneva", "compute", {"cores": -1}), "usage of cores is a number from 0 on"),
        (("admin", "geneva", "balancer", {"member": 1}), "a member needs a pool"),
    ],
)
def test_usage_of_nothing_is_refused(
    sandbox: RunningSandbox, arguments: tuple[str, str, str, dict[str, int]], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        sandbox.set_usage(*arguments)


def test_an_unknown_fault_names_the_known(sandbox: RunningSandbox) -> None:
    with pytest.raises(ValueError, match=r"no kind of fault is called 'rain': hang, slow"):
        sandbox.add_fault("rain")


def test_a_fault_is_used_up(sandbox: RunningSandbox) -> None:
    plain = plain_of(sandbox)
    sandbox.add_fault("status", service="identity", status=500, count=2)
    seen = [plain.call("GET", "identity", "/roles").status for _ in range(3)]
    assert seen == [500, 500, 200]


def test_a_fault_meets_only_what_it_names(sandbox: RunningSandbox) -> None:
    plain = plain_of(sandbox)
    project_id = make_project(plain, "p-faults")
    path = f"/os-quota-sets/{project_id}"
    sandbox.add_fault("status", service="compute", region="geneva", method="GET", path="/detail$")
    statuses = [
        plain.call("GET", "compute", f"{path}/detail", region="geneva").status,
        plain.call("GET", "compute", path, region="geneva").status,
        plain.call("GET", "compute", f"{path}/detail", region="prevessin").status,
    ]
    assert statuses == [503, 200, 200]


@pytest.mark.parametrize(("when", "limit"), [("before", 20), ("after", 7)])
def test_a_pause_holds_before_or_after_it_is_done(
    sandbox: RunningSandbox, when: str, limit: int
) -> None:
    plain = plain_of(sandbox)
    project_id = make_project(plain, f"p-pause-{when}")
    body = {"quota_set": {"cores": 7}}
    replies: list[Reply] = []

    def write() -> None:
        path = f"/os-quota-sets/{project_id}"
        replies.append(plain.call("PUT", "compute", path, body, region="geneva"))

    with sandbox.pause(when, service="compute", method="PUT") as pause:
        thread = threading.Thread(target=write)
        thread.start()
        pause.wait_until_held()
        assert plain.compute_limits("geneva", project_id)["cores"] == limit
        assert replies == []
        pause.release()
        thread.join(20)
    assert [reply.status for reply in replies] == [200]
    assert plain.compute_limits("geneva", project_id)["cores"] == 7


def test_calls_are_remembered_without_passwords(sandbox: RunningSandbox) -> None:
    plain = plain_of(sandbox)
    project_id = make_project(plain, "p-calls")
    body = {"quota_set": {"volumes": 7}}
    plain.done("PUT", "volumev3", f"/os-quota-sets/{project_id}", body, region="prevessin")
    (seen,) = sandbox.calls(service="volume")
    assert seen["path"].endswith(f"/os-quota-sets/{project_id}")
    assert (seen["region"], seen["method"], seen["body"], seen["status"]) == (
        "prevessin",
        "PUT",
        body,
        200,
    )
    assert "password" not in json.dumps(sandbox.calls())


def test_limits_of_a_deleted_project_can_be_looked_at(sandbox: RunningSandbox) -> None:
    plain = plain_of(sandbox)
    project_id = make_project(plain, "p-deleted")
    sandbox.delete_project("p-deleted")
    assert plain.project(project_id) is None
    body = {"quota_set": {"volumes": 7}}
    plain.done("PUT", "volumev3", f"/os-quota-sets/{project_id}", body, region="geneva")
    assert sandbox.limits(project_id, "geneva", "volume") == {"volumes": 7}
    assert sandbox.limits(project_id, "prevessin", "volume") == {}


def test_people_whom_the_demo_brings_are_there_once(sandbox: RunningSandbox) -> None:
    for _ in range(2):
        sandbox.add_people(["brought"], ["brought-along"])
    plain = plain_of(sandbox)
    for kind, name in (("users", "brought"), ("groups", "brought-along")):
        rows = plain.done("GET", "identity", f"/{kind}?name={name}")[kind]
        assert [each["name"] for each in rows] == [name]
