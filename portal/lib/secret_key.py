"""The secret key of a development site: made once, kept in DATA_DIR, closed to others."""

import os
import secrets
import tempfile
from pathlib import Path


def stored_secret_key(path: Path) -> str:
    """Read it; make it when it is not there, also when several processes start at once."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
        # A link fails where a rename would replace: the first writer wins, all read the same.
        os.link(unfinished, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(unfinished)
    return path.read_text().strip()
