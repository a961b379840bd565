"""`python -m contrib.provider --port 9000`: the provider by itself; whoever signs in is known.

For `DEMO_PROVIDER=9000 make run`, whose environment says who Remit is to it.
"""

import argparse
import json
import os
from pathlib import Path

from contrib.provider.running import PROGRAM

MODULES = Path(__file__).resolve().parents[2] / ".cache" / "node" / "node_modules"


def main() -> None:
    """Become the provider: whoever started this process stops that one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    config = {
        "port": given.port,
        "client_id": os.environ["OIDC_CLIENT_ID"],
        "client_secret": os.environ["OIDC_CLIENT_SECRET"],
        "knows_everybody": True,
    }
    os.execvp("node", ["node", str(PROGRAM), str(MODULES), json.dumps(config)])  # noqa: S606 - meant


if __name__ == "__main__":
    main()
