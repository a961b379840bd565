"""Between two parts: what the one before left on the machine is no load of the next."""

import os
import sys

from portal.testing.waiting import wait_until

from .machine import BUSY

# The load falls by two thirds a minute once nothing runs: ten of them are for other work to end.
LONGEST_SECONDS = 600
LOOK_SECONDS = 2
# Of the cores: what starts the next part adds to it before the load is taken down.
AT_REST = 0.75


def rest(seconds: float = LONGEST_SECONDS) -> bool:
    """Wait until the machine has less to do than it has cores; whether it came to that.

    One that stays busy is measured all the same, and `faults.busy` says so of the part.
    """
    most = AT_REST * (os.cpu_count() or 1)
    if BUSY in os.environ or os.getloadavg()[0] <= most:
        return True
    print(f"Waiting until the machine is at rest: load {os.getloadavg()[0]:.1f} …", flush=True)
    try:
        wait_until(lambda: os.getloadavg()[0] <= most, seconds, "at rest", every=LOOK_SECONDS)
    except AssertionError:
        said = f"load {os.getloadavg()[0]:.1f} after {seconds:g} s; at rest is {most:g} or less"
        print(f"The machine does other things: {said}.", file=sys.stderr)
        return False
    return True
