"""`python -m contrib.scale.cloud`: a sandbox cloud with many projects, kept in memory alone.

The usual sandbox writes its whole state with each change, which is what a demo needs and takes
minutes here.
"""

import argparse
import signal
import sys
from pathlib import Path

from contrib.sandbox.bench import Bench
from contrib.sandbox.control import READY, Sandbox
from contrib.sandbox.program import Program
from contrib.sandbox.server import Server
from contrib.sandbox.serving import HOST, free_port
from contrib.sandbox.state import Cloud, Project, Usage, write_private

from .numbers import REGIONS, limits, project_id, project_name, used

SERVICES = ("compute", "volume", "network")


class ScaleCloud(Sandbox, Program):
    """The cloud in a process of its own."""

    def __init__(self, folder: Path, count: int) -> None:
        port = free_port()
        self.clouds_yaml = folder / "clouds.yaml"
        Sandbox.__init__(self, f"http://127.0.0.1:{port}")
        arguments = [
            "--projects", str(count), "--port", str(port), "--clouds-yaml", str(self.clouds_yaml),
        ]  # fmt: skip
        Program.__init__(self, "contrib.scale.cloud", arguments, READY)


def furnish(cloud: Cloud, count: int) -> None:
    """Make the projects with their limits and use; nobody of ours knows them yet."""
    with cloud.lock:
        for number in range(1, count + 1):
            key = project_id(number)
            cloud.projects[key] = Project(key, project_name(number))
            for region in REGIONS:
                for service in SERVICES:
                    cloud.limits_of(region, service, key).update(limits(number, service))
                    cloud.usage_of(region, service, key).update(
                        {name: Usage(amount) for name, amount in used(number, service).items()}
                    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m contrib.scale.cloud", description=__doc__)
    parser.add_argument("--projects", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clouds-yaml", type=Path, required=True)
    options = parser.parse_args()
    cloud = Cloud(None)
    furnish(cloud, options.projects)
    server = Server(options.port, cloud, Bench())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.end())
    write_private(options.clouds_yaml, cloud.clouds_yaml(server.url))
    print(f"{READY}http://{HOST}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
