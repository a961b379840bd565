"""A driver of somebody else's: the one that docs/write-a-driver.md builds, as a package.

Its files are taken from the page, made into a wheel, and installed into a folder; what is on the
page is therefore what works.
"""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "write-a-driver.md"
FILE = re.compile(r"^`([\w-]+\.\w+)`[^\n]*:[^`]*?\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALL = {"pyproject.toml", "remit_tapes.py", "archive.py", "test_tapes.py", "conftest.py"}


def files_of_the_page() -> dict[str, str]:
    """{name: content} of the files on the page."""
    return dict(FILE.findall(PAGE.read_text()))


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return files_of_the_page()


@pytest.fixture(scope="module")
def installed(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where pip has installed the package."""
    folder = tmp_path_factory.mktemp("installed")
    built = wheel(files, tmp_path_factory.mktemp("wheel"))
    # Alone, and from nowhere else: what it needs is here already.
    how = ["--no-index", "--no-deps", "--no-compile", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", "-q", *how, "--target", str(folder)]
    subprocess.run([*command, str(built)], check=True, capture_output=True, timeout=120)
    return folder


def wheel(files: dict[str, str], folder: Path) -> Path:
    """What a build backend makes of the page's pyproject.toml and module."""
    project = tomllib.loads(files["pyproject.toml"])["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    lines = ["[remit.backends]"]
    for key, value in project["entry-points"]["remit.backends"].items():
        lines.append(f"{key} = {value}")
    info = f"{name}-{version}.dist-info"
    inside = {
        "remit_tapes.py": files["remit_tapes.py"],
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "\n".join(lines) + "\n",
    }
    inside[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*inside, f"{info}/RECORD"))
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, content in inside.items():
            archive.writestr(inner, content)
    return path


def run(folder: Path, installed: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Python in a process of its own, where the package is installed beside this checkout."""
    # Nothing that this run of pytest was told reaches the one inside.
    ours = ("DJANGO", "PYTEST")
    environment = {key: os.environ[key] for key in os.environ if not key.startswith(ours)}
    environment["PYTHONPATH"] = os.pathsep.join([str(installed), str(ROOT)])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_page_has_each_file_once(files: dict[str, str]) -> None:
    assert set(files) == SMALL
    assert len(FILE.findall(PAGE.read_text())) == len(SMALL)


def test_an_installed_driver_is_found_by_its_entry_point(installed: Path, tmp_path: Path) -> None:
    program = (
        "from quotas.backends import EndpointConfig, Registry\n"
        "registry = Registry({'nova': 'quotas.backends.nova:NovaDriver'})\n"
        "made = registry.quota(EndpointConfig('t', 'tapes', 'here'))\n"
        "print(registry.names(), type(made).__module__, made.spec('space').maximum)\n"
    )
    done = run(tmp_path, installed, "-c", program)
    assert done.stdout == "['nova', 'tapes'] remit_tapes 1000000\n", done.stderr


def test_it_passes_the_suite_with_nothing_of_django_loaded(
    files: dict[str, str], installed: Path, tmp_path: Path
) -> None:
    for name in ("archive.py", "test_tapes.py", "conftest.py"):
        (tmp_path / name).write_text(files[name])
    # Plugins of this project's own tests would set Django up.
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:django -p no:xdist\n")
    with open(tmp_path / "test_tapes.py", "a") as file:
        file.write(
            "\n\ndef test_django_is_not_here() -> None:\n"
            "    import sys\n\n    assert 'django' not in sys.modules\n"
        )
    done = run(tmp_path, installed, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert re.search(r"^2\d passed", done.stdout, re.MULTILINE), done.stdout[-500:]
