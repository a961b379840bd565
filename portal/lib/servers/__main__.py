"""`python -m portal.lib.servers COMMAND…`: run one command beside embedded servers.

DATA_DIR names the folder; without it the servers and their data live only as long as
the command. It finds them through DATA_DIR, like every process of Remit.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

from portal.lib.servers import ServersError, embedded_servers


def _end(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


def main(command: list[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _end)
    with tempfile.TemporaryDirectory(prefix="remit-") as scratch:
        kept = os.environ.get("DATA_DIR")
        # The scratch folder itself is closed to the servers' user; one inside is ours to open.
        Path(scratch).chmod(0o711)
        data_dir = Path(kept) if kept else Path(scratch) / "data"
        try:
            with embedded_servers(data_dir, durable=bool(kept)):
                env = os.environ | {"DATA_DIR": str(data_dir)}
                return subprocess.run(command, env=env, check=False).returncode
        except ServersError as error:
            print(error, file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
