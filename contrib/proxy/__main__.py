"""`python -m contrib.proxy`: put the fault proxy in front of a cloud until SIGTERM or Ctrl-C."""

import argparse
import json
import signal
import sys
import threading
import urllib.parse
from pathlib import Path

from contrib.proxy.gates import Gate
from contrib.proxy.upstream import proxied, upstreams
from contrib.sandbox.bench import Bench
from contrib.sandbox.bench_api import bench_control
from contrib.sandbox.calls import Answer
from contrib.sandbox.serving import HOST, BenchHandler, Listener
from contrib.sandbox.state import write_private


class _Control(BenchHandler):
    """The bench's control calls, under `/_proxy/`."""

    def answer(self, body: bytes) -> None:
        target = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(target.query))
        parts = target.path.removeprefix("/_proxy/").strip("/").split("/")
        try:
            given = json.loads(body) if body else {}
            found = bench_control(self.server.bench, self.command, parts, query, given)
        except (ValueError, TypeError, KeyError) as error:
            found = Answer(400, {"error": str(error)})
        self.send(found or Answer(404, {"error": "there is no such control"}))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m contrib.proxy", description=__doc__)
    parser.add_argument("--clouds-yaml", type=Path, required=True, help="how the cloud is reached")
    parser.add_argument("--cloud", required=True, help="its name there")
    parser.add_argument("--write", type=Path, required=True, help="a clouds.yaml that leads here")
    parser.add_argument("--port", type=int, default=0, help="of the control calls; 0: any free one")
    options = parser.parse_args()
    bench = Bench()
    try:
        control = Listener(options.port, bench, _Control)
    except OSError as error:
        print(f"Port {options.port} cannot be used: {error.strerror}", file=sys.stderr)
        return 2
    try:
        gates = [Gate(each, bench) for each in upstreams(options.clouds_yaml, options.cloud)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{options.cloud} of {options.clouds_yaml} is not there: {error}", file=sys.stderr)
        return 2
    bench.gates.update({gate.upstream.place: gate for gate in gates})
    urls = {gate.upstream: gate.upstream.through(gate.port, HOST) for gate in gates}
    write_private(options.write, proxied(options.clouds_yaml, options.cloud, urls))

    def end(*_: object) -> None:
        bench.close()
        threading.Thread(target=control.shutdown, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    for gate in gates:
        gate.open()
    print(f"fault proxy: {control.url}", flush=True)
    control.serve_forever(poll_interval=0.1)
    control.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
