"""A second Nova beside the real services: the same program, configured another way, on a port of
its own. What a change of settings makes of a whole installation, in seconds instead of minutes.
"""

import configparser
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from contrib.sandbox.serving import free_port
from contrib.testing import openstack
from portal.testing.waiting import wait_until

RELEASES = dict(zip(openstack.REGIONS, ("xena", "2026.1"), strict=True))


def settings_file(region: str) -> Path:
    """The configuration of the region's own Nova."""
    return openstack.STATE / "conf" / f"{region}-nova" / "nova.conf"


def python_of(region: str) -> Path:
    """The Python that the region's release is installed for."""
    return openstack.STATE / "venv" / RELEASES[region] / "bin" / "python"


@contextmanager
def second_nova(
    folder: Path, region: str, configure: Callable[[configparser.RawConfigParser], None]
) -> Iterator[Path]:
    """A clouds.yaml in which the region's compute service is that Nova.

    The services must be running; files go to `folder`. `configure` changes the settings that the
    region's own Nova has.
    """
    port = free_port()
    settings = configparser.RawConfigParser()
    settings.read(settings_file(region))
    configure(settings)
    with open(folder / "nova.conf", "w") as file:
        settings.write(file)
    for name in ("api-paste.ini", "wsgi.py"):
        (folder / name).write_bytes(settings_file(region).with_name(name).read_bytes())
    with open(folder / "nova.log", "w") as log:
        process = subprocess.Popen(
            _command(folder, region, port), env=_environment(folder), stdout=log, stderr=log
        )
    try:
        wait_until(lambda: _answers(port, process), 60, "the second Nova answers")
        yield _clouds_yaml(folder, port)
    finally:
        process.terminate()
        process.wait(20)


def _command(folder: Path, region: str, port: int) -> list[str]:
    """As `openstack-up` starts it."""
    venv = openstack.STATE / "venv" / RELEASES[region]
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
