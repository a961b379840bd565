"""`python -m contrib.sandbox`: run the sandbox cloud until SIGTERM or Ctrl-C."""

import argparse
import os
import signal
import sys
from pathlib import Path

from contrib.sandbox.bench import Bench
from contrib.sandbox.server import Server
from contrib.sandbox.serving import HOST
from contrib.sandbox.state import Cloud, write_private


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m contrib.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default: any free one")
    parser.add_argument("--state-file", type=Path, help="kept there between runs; else nowhere")
    parser.add_argument("--clouds-yaml", type=Path, help="write how to sign in, cloud `sandbox`")
    options = parser.parse_args()
    if os.environ.get("DATABASE_URL") and os.environ.get("REMIT_SANDBOX") != "allow":
        print(
            "The sandbox cloud does not run beside an external database (DATABASE_URL is set); "
            "REMIT_SANDBOX=allow runs it all the same.",
            file=sys.stderr,
        )
        return 2
    for path in (options.state_file, options.clouds_yaml):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    try:
        cloud = Cloud(options.state_file)
    except (ValueError, KeyError, TypeError) as error:
        print(f"{options.state_file} is not a sandbox's state: {error}", file=sys.stderr)
        return 2
    try:
        server = Server(options.port, cloud, Bench())
    except OSError as error:
        print(f"Port {options.port} cannot be used: {error.strerror}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.end())
    if options.clouds_yaml is not None:
        write_private(options.clouds_yaml, cloud.clouds_yaml(server.url))
    print(f"sandbox cloud: http://{HOST}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
