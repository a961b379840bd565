"""A Nova with two cells, one of which can be made unreachable, beside the real services.

It has databases of its own: for what all cells share, copied from the region's Nova, and one for
each cell, the second of which it reaches through a port that is open or closed. So nobody else is
disturbed, and the region's own Nova knows nothing of it.
"""

import configparser
import json
import socket
import subprocess
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from contrib.testing.second_nova import python_of, second_nova, settings_file

# Told in JSON what to do; runs in Nova's own environment.
_COPY = """\
import json, sys, uuid
import pymysql
told = json.load(sys.stdin)
link = pymysql.connect(**told["server"], autocommit=True)
cursor = link.cursor()
cursor.execute("SET foreign_key_checks = 0")
for source, target, with_rows in told["copies"]:
    cursor.execute("DROP DATABASE IF EXISTS " + target)
    cursor.execute("CREATE DATABASE " + target + " CHARACTER SET utf8mb3")
    cursor.execute("SHOW TABLES FROM " + source)
    for (table,) in cursor.fetchall():
        if table.startswith("shadow_"):
            continue
        cursor.execute("CREATE TABLE %s.%s LIKE %s.%s" % (target, table, source, table))
        if with_rows:
            cursor.execute("INSERT INTO %s.%s SELECT * FROM %s.%s" % (target, table, source, table))
mappings = told["copies"][0][1] + ".cell_mappings"
first, second = told["cells"]
cursor.execute(
    "UPDATE " + mappings + " SET database_connection = %s WHERE name = 'cell1'", (first,))
cursor.execute(
    "INSERT INTO " + mappings +
    " (created_at, uuid, name, transport_url, database_connection, disabled) "
    "VALUES (now(), %s, 'cell2', 'fake://', %s, 0)", (str(uuid.uuid4()), second))
"""

# A project's instances, one in each cell in turn; before the first, a host of each cell.
_FILL = """\
import sys
from nova import config, context, objects
config.parse_args(["rows", "--config-file", sys.argv[1]])
objects.register_all()
from nova.network import model
from oslo_utils import uuidutils
admin = context.get_admin_context()
cells = [c for c in objects.CellMappingList.get_all(admin) if not c.is_cell0()]
cells.sort(key=lambda cell: cell.name)
project, count = sys.argv[2], int(sys.argv[3])
known = {each.host for each in objects.HostMappingList.get_all(admin)}
for cell in cells:
    host = "compute-of-" + cell.name
    if host not in known:
        with context.target_cell(admin, cell) as inside:
            objects.Service(inside, host=host, binary="nova-compute", topic="compute",
                            report_count=1, disabled=False).create()
        objects.HostMapping(admin, host=host, cell_mapping=cell).create()
flavor = objects.Flavor(
    admin, id=1, name="row", flavorid="row", memory_mb=512, vcpus=1, root_gb=0, ephemeral_gb=0,
    swap=0, rxtx_factor=1.0, vcpu_weight=0, disabled=False, is_public=True, extra_specs={})
for number in range(count):
    uuid, cell = uuidutils.generate_uuid(), cells[number % 2]
    with context.target_cell(admin, cell) as inside:
        objects.Instance(
            inside, uuid=uuid, project_id=project, user_id="rows", vcpus=1, memory_mb=512,
            root_gb=0, ephemeral_gb=0, flavor=flavor, old_flavor=None, new_flavor=None,
            info_cache=objects.InstanceInfoCache(network_info=model.NetworkInfo()),
            vm_state="active", power_state=1, display_name="row", hostname="row").create()
    objects.InstanceMapping(admin, instance_uuid=uuid, project_id=project, user_id="rows",
                            cell_mapping=cell, queued_for_delete=False).create()
"""


class Port:
    """A port that leads to another one while it is open; closing ends what goes through it."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._is_open = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.number: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
        # Wakes the one that waits for a caller.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for each in self._ends:
            each.close()

    def close(self) -> None:
        """Whoever calls is hung up on, and so is who called before."""
        with self._lock:
            self._is_open = False
            for each in self._ends:
                _hang_up(each)

    def open(self) -> None:
        with self._lock:
            self._is_open = True

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if not self._is_open:
                    caller.close()
                    continue
                behind = socket.create_connection(self._to)
                self._ends += [caller, behind]
            for source, target in ((caller, behind), (behind, caller)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other side was first


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass  # hung up on
    _hang_up(target)


@dataclass(frozen=True)
class CelledNova:
    """A Nova with two cells; `clouds_yaml` leads to it, `address` is its own."""

    clouds_yaml: Path
    address: str
    region: str
    _settings: Path
    _port: Port

    def add_instances(self, project_id: str, count: int) -> None:
        """Of one core and 512 MiB each, one in each cell in turn."""
        _run(self.region, _FILL, str(self._settings), project_id, str(count))

    @contextmanager
    def cell_down(self) -> Iterator[None]:
        """The second cell does not answer inside."""
        self._port.close()
        try:
            yield
        finally:
            self._port.open()


@contextmanager
def celled_nova(folder: Path, region: str, cloud: str) -> Iterator[CelledNova]:
    """The real services must be running; files go to `folder`."""
    settings = configparser.RawConfigParser()
    settings.read(settings_file(region))
    of_api = urllib.parse.urlsplit(settings["api_database"]["connection"])
    of_cell = urllib.parse.urlsplit(settings["database"]["connection"])
    with Port(of_api.hostname or "", of_api.port or 0) as port:
        account, _, _ = of_api.netloc.rpartition("@")
        shared = of_api._replace(path=f"{of_api.path}_celled")
        first = of_cell._replace(path=f"{of_cell.path}_first")
        second = of_cell._replace(
            netloc=f"{account}@127.0.0.1:{port.number}", path=f"{of_cell.path}_second"
        )
        _copy(region, of_api, shared, of_cell, (first, second))

        def configure(changed: configparser.RawConfigParser) -> None:
            changed["api_database"]["connection"] = shared.geturl()
            changed["database"]["connection"] = first.geturl()
            # Nobody is waited for who does not answer.
            changed["database"]["max_retries"] = "0"

        with second_nova(folder, region, configure) as clouds_yaml:
            found = yaml.safe_load(clouds_yaml.read_text())["clouds"][cloud]
            address = urllib.parse.urlsplit(found["compute_endpoint_override"])
            yield CelledNova(
                clouds_yaml,
                f"{address.scheme}://{address.netloc}",
                region,
                folder / "nova.conf",
                port,
            )


def _copy(
    region: str,
    of_api: urllib.parse.SplitResult,
    shared: urllib.parse.SplitResult,
    of_cell: urllib.parse.SplitResult,
    cells: tuple[urllib.parse.SplitResult, urllib.parse.SplitResult],
) -> None:
    """The shared database with its rows, and two empty ones of a cell's shape."""
    told: dict[str, Any] = {
        "server": {
            "host": of_api.hostname,
            "port": of_api.port,
            "user": of_api.username,
            "password": urllib.parse.unquote(of_api.password or ""),
        },
        "copies": [
            (of_api.path[1:], shared.path[1:], True),
            *((of_cell.path[1:], each.path[1:], False) for each in cells),
        ],
        "cells": [each.geturl() for each in cells],
    }
    _run(region, _COPY, told=json.dumps(told))


def _run(region: str, program: str, *arguments: str, told: str = "") -> None:
    done = subprocess.run(
        [str(python_of(region)), "-W", "ignore", "-c", program, *arguments],
        input=told,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Nova's rows in {region}:\n{done.stdout[-3000:]}")
