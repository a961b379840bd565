"""A second Nova of the newer release beside the real services, its quotas in Keystone.

The same program on the same databases with another quota driver, on a port of its own: what
`OPENSTACK_UNIFIED` makes of a whole installation, in seconds instead of minutes.
"""

import configparser
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from contrib.sandbox.serving import free_port
from contrib.testing import openstack
from portal.testing.waiting import wait_until

NAME, RELEASE = "region-two-nova", "2026.1"


@contextmanager
def unified_nova(folder: Path) -> Iterator[Path]:
    """A clouds.yaml in which the newer region's compute service is that Nova.

    The services must be running; files go to `folder`.
    """
    port = free_port()
    _configure(folder)
    with open(folder / "nova.log", "w") as log:
        process = subprocess.Popen(
            _command(folder, port), env=_environment(folder), stdout=log, stderr=log
        )
    try:
        wait_until(lambda: _answers(port, process), 60, "the second Nova answers")
        yield _clouds_yaml(folder, port)
    finally:
        process.terminate()
        process.wait(20)


def _configure(folder: Path) -> None:
    own = openstack.STATE / "conf" / NAME
    settings = configparser.RawConfigParser()
    settings.read(own / "nova.conf")
    settings["quota"] = {"driver": "nova.quota.UnifiedLimitsDriver"}
    # Signed in as towards Placement, but for the whole system.
    settings["oslo_limit"] = {
        key: value for key, value in settings["placement"].items() if not key.startswith("project")
    } | {
        "system_scope": "all",
        "endpoint_id": (openstack.STATE / "secrets" / f"endpoint-{NAME}").read_text().strip(),
    }
    with open(folder / "nova.conf", "w") as file:
        settings.write(file)
    for name in ("api-paste.ini", "wsgi.py"):
        (folder / name).write_bytes((own / name).read_bytes())


def _command(folder: Path, port: int) -> list[str]:
    """As `openstack-up` starts it."""
    venv = openstack.STATE / "venv" / RELEASE
    return [
        str(venv / "bin" / "uwsgi"), "--http-socket", f"127.0.0.1:{port}",
        "--virtualenv", str(venv), "--wsgi-file", str(folder / "wsgi.py"), "--master",
        "--processes", "1", "--threads", "1", "--enable-threads", "--lazy-apps", "--need-app",
        "--die-on-term", "--buffer-size", "65535", "--http-raw-body",
        "--worker-reload-mercy", "3", "--add-header", "Connection: close",
        "--post-buffering", "65536", "--pyargv", f"--config-file={folder / 'nova.conf'}",
    ]  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "OS_NOVA_CONFIG_DIR": str(folder),
        "OS_NOVA_CONFIG_FILES": "api-paste.ini;nova.conf",
    }


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the second Nova ended with {process.returncode}")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _clouds_yaml(folder: Path, port: int) -> Path:
    found = yaml.safe_load(openstack.CLOUDS_YAML.read_text())
    cloud = found["clouds"][openstack.CLOUD]
    cloud["compute_endpoint_override"] = f"http://127.0.0.1:{port}/v2.1"
    path = folder / "clouds.yaml"
    path.write_text(yaml.safe_dump(found))
    path.chmod(0o600)
    return path
