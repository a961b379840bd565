"""`python -m contrib.soak --minutes 5`: a soak; exits 1 where anything differs at its end."""

import argparse
import json
import secrets
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import NoReturn

from contrib.soak.clouds import CLOUDS
from contrib.soak.run import soak
from contrib.testing import openstack
from portal.lib.servers import ServersError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m contrib.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--cloud", choices=sorted(CLOUDS), default="sandbox")
    parser.add_argument(
        "--seed", type=int, help="repeats the schedule of a run (default: a new one)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--keep", action="store_true", help="keep logs and notes in any case")
    options = parser.parse_args()
    if options.minutes <= 0:
        parser.error("--minutes is more than 0")
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    # Ctrl-C and SIGTERM take everything down on the way out.
    signal.signal(signal.SIGTERM, _end)
    try:
        with openstack.running() if options.cloud == "openstack" else nullcontext():
            figures = soak(
                minutes=options.minutes, seed=seed, cloud=options.cloud, say=_say,
                keep=options.keep,
            )  # fmt: skip
    except (RuntimeError, ServersError) as error:
        print(f"The soak could not run: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        _say("Stopped; everything that was started has ended.")
        return 130
    if options.json is not None:
        options.json.write_text(json.dumps(figures.as_json(), indent=1))
    _say("\n" + figures.table())
    for difference in figures.differences:
        _say(f"DIFFERENCE  {difference}")
    return 1 if figures.differences else 0


def _say(text: str) -> None:
    print(text, flush=True)


def _end(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    sys.exit(main())
