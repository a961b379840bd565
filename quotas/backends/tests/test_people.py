"""Refusals that come from who asks: wrong credentials, no power, no such place."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from contrib.testing.clouds import Site
from quotas.backends import BackendError, EndpointConfig, IdentityProject, Kind
from quotas.backends.cinder import CinderDriver
from quotas.backends.keystone import KeystoneDriver
from quotas.backends.nova import NovaDriver
from quotas.backends.tests.conftest import TIMEOUT, Region


def clouds_with(site: Site, folder: Path, **login: Any) -> str:
    """A clouds.yaml like the site's, signed in differently."""
    document = yaml.safe_load(site.clouds_yaml.read_text())
    document["clouds"][site.cloud]["auth"].update(login)
    path = folder / "clouds.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def config(region: Region, clouds_file: str) -> EndpointConfig:
    return EndpointConfig("e", "d", region.site.cloud, region.name, {}, clouds_file)


def test_who_is_not_an_admin_is_forbidden(
    region: Region, project: IdentityProject, new_tag: str, tmp_path: Path
) -> None:
    plain = region.site.plain
    person = {"name": new_tag, "password": "of a test", "domain_id": "default"}
    user = plain.done("POST", "identity", "/users", {"user": person})["user"]["id"]
    roles = {row["name"]: row["id"] for row in plain.done("GET", "identity", "/roles")["roles"]}
    grant = f"/projects/{project.external_id}/users/{user}/roles/{roles['member']}"
    plain.done("PUT", "identity", grant)
    file = clouds_with(
        region.site, tmp_path, username=new_tag, password="of a test", project_name=project.name
    )
    calls = [
        (
            lambda: NovaDriver(config(region, file)).write(
                project.external_id, {"cores": 1}, timeout=TIMEOUT
            ),
            "Policy doesn't allow os_compute_api:os-quota-sets:update to be performed.",
        ),
        (
            lambda: CinderDriver(config(region, file)).write(
                project.external_id, {"volumes": 1}, timeout=TIMEOUT
            ),
            "Policy doesn't allow volume_extension:quotas:update to be performed.",
        ),
        (
            lambda: KeystoneDriver(config(region, file)).create(
                name="never", description="", tag="remit:never", timeout=TIMEOUT
            ),
            "You are not authorized to perform the requested action: identity:create_project.",
        ),
    ]
    for call, words in calls:
        with pytest.raises(BackendError) as excinfo:
            call()
        error = excinfo.value
        assert (error.kind, error.code, error.words) == (Kind.REFUSED, "forbidden", words)


def test_a_wrong_password_is_refused(region: Region, tmp_path: Path) -> None:
    file = clouds_with(region.site, tmp_path, password="not this one")
    with pytest.raises(BackendError) as excinfo:
        NovaDriver(config(region, file)).read("0" * 32, timeout=TIMEOUT)
    error = excinfo.value
    assert (error.kind, error.code, error.http_status) == (Kind.REFUSED, "credentials", 401)
    assert error.words == "The request you have made requires authentication."


def test_corrected_credentials_are_read_anew(region: Region, tmp_path: Path) -> None:
    """An operator mends clouds.yaml; no worker has to be started again."""
    file = clouds_with(region.site, tmp_path, password="not this one")
    driver = KeystoneDriver(config(region, file))
    with pytest.raises(BackendError):
        driver.get("0" * 32, timeout=TIMEOUT)
    clouds_with(region.site, tmp_path)
    assert driver.get("0" * 32, timeout=TIMEOUT) is None


def test_a_region_that_the_catalogue_lacks_is_refused(region: Region) -> None:
    file = str(region.site.clouds_yaml)
    lost = replace(config(region, file), region_name="atlantis")
    with pytest.raises(BackendError) as excinfo:
        NovaDriver(lost).read("0" * 32, timeout=TIMEOUT)
    error = excinfo.value
    assert error.kind == Kind.REFUSED
    assert error.code in ("no_endpoint", "configuration")
    assert "atlantis" in error.words


def test_a_cloud_that_clouds_yaml_lacks_is_refused(region: Region) -> None:
    file = str(region.site.clouds_yaml)
    with pytest.raises(BackendError) as excinfo:
        NovaDriver(replace(config(region, file), cloud="elsewhere")).read("0" * 32, timeout=TIMEOUT)
    assert (excinfo.value.kind, excinfo.value.code) == (Kind.REFUSED, "configuration")
    assert "elsewhere" in excinfo.value.words


def test_a_missing_clouds_yaml_is_refused(tmp_path: Path) -> None:
    lost = EndpointConfig("e", "d", "c", None, {}, str(tmp_path / "clouds.yaml"))
    with pytest.raises(BackendError) as excinfo:
        NovaDriver(lost).read("0" * 32, timeout=TIMEOUT)
    assert (excinfo.value.kind, excinfo.value.code) == (Kind.REFUSED, "configuration")
