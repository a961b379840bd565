"""The fault proxy as tests handle it: `running_proxy(folder, clouds_yaml, cloud)`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contrib.sandbox.bench_client import BenchClient
from contrib.sandbox.program import Program
from contrib.sandbox.serving import free_port

READY = "fault proxy: "


class RunningProxy(BenchClient, Program):
    """A proxy in a process of its own; `clouds_yaml` leads through it, under the cloud's name."""

    CONTROL = "_proxy"

    def __init__(self, folder: Path, clouds_yaml: Path, cloud: str) -> None:
        port = free_port()
        self.clouds_yaml = folder / "proxied.yaml"
        BenchClient.__init__(self, f"http://127.0.0.1:{port}")
        Program.__init__(
            self,
            "contrib.proxy",
            [
                *("--clouds-yaml", str(clouds_yaml), "--cloud", cloud),
                *("--write", str(self.clouds_yaml), "--port", str(port)),
            ],
            READY,
        )


@contextmanager
def running_proxy(folder: Path, clouds_yaml: Path, cloud: str) -> Iterator[RunningProxy]:
    """Put a proxy in front of a cloud that runs, and end it."""
    proxy = RunningProxy(folder, clouds_yaml, cloud)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
