"""What an agent of a service would have written: none runs beside the real services' APIs."""

import configparser
import json
import subprocess
import urllib.parse

from contrib.testing import openstack
from contrib.testing.second_nova import python_of

_PROGRAM = """\
import json, sys
import pymysql
told = json.load(sys.stdin)
link = pymysql.connect(**told["server"], autocommit=True)
print(link.cursor().execute(told["statement"], told["values"]))
"""


def change(region: str, service: str, statement: str, *values: str) -> int:
    """Run one statement in a service's own database; how many rows it changed."""
    settings = configparser.RawConfigParser()
    settings.read(openstack.STATE / "conf" / f"{region}-{service}" / f"{service}.conf")
    where = urllib.parse.urlsplit(settings["database"]["connection"])
    told = {
        "server": {
            "host": where.hostname,
            "port": where.port,
            "user": where.username,
            "password": urllib.parse.unquote(where.password or ""),
            "database": where.path[1:],
        },
        "statement": statement,
        "values": values,
    }
    done = subprocess.run(
        [str(python_of(region)), "-c", _PROGRAM],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)
