"""The embedded servers: who owns them, what they leave, and what a crash does to them."""

import json
import os
import pwd
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.lib.servers import ServersError, embedded_servers, read_addresses
from portal.lib.servers.account import SYSTEM_USER, can_reach, reachable_tree, servers_account
from portal.lib.servers.process import _stat
from portal.testing import wait_until

ONCE = Retry(NoBackoff(), 0)
OWNER = """
import sys, signal
from pathlib import Path
from portal.lib.servers import ServersError, embedded_servers
try:
    with embedded_servers(Path(sys.argv[1]), durable=False) as servers:
        pids = [servers.postgres.child.pid, servers.broker.child.pid]
        print(*pids, flush=True)
        signal.pause()
except ServersError as error:
    sys.exit(str(error))
"""


def start_owner(data_dir: Path) -> tuple[subprocess.Popen[str], list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


def one_value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_start_serves_both_and_stop_ends_both(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False) as servers:
        assert one_value(servers.database_url, "SELECT current_user") == "remit"
        collation = "SELECT datcollate FROM pg_database WHERE datname = 'remit'"
        assert one_value(servers.database_url, collation) == "C.UTF-8"
        assert redis.Redis.from_url(servers.broker_url).ping() is True
        socket_folder = servers.postgres.socket_folder
        pids = [servers.postgres.child.pid, servers.broker.child.pid]  # type: ignore[union-attr]

    assert [_stat(pid) for pid in pids] == [[], []]
    assert not socket_folder.exists()
    assert read_addresses(data_dir) is None


def test_start_leaves_nothing_open_to_others(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False) as servers:
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (data_dir / "servers.json", data_dir / "servers.lock", data_dir / "logs")
        }
        assert modes == {"servers.json": 0o600, "servers.lock": 0o600, "logs": 0o700}
        assert stat.S_IMODE(servers.postgres.data.stat().st_mode) == 0o700
        assert stat.S_IMODE(servers.postgres.socket_folder.stat().st_mode) == 0o700
        assert len(os.fsencode(servers.postgres.socket_folder)) < 80
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(host="127.0.0.1", port=servers.broker.port, retry=ONCE).ping()
        for pid in (servers.postgres.child.pid, servers.broker.child.pid):  # type: ignore[union-attr]
            assert servers.broker.password not in Path(f"/proc/{pid}/cmdline").read_text()
        assert one_value(servers.database_url, "SHOW listen_addresses") == ""


def test_addresses_are_what_others_read(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False) as servers:
        addresses = read_addresses(data_dir)
        assert addresses is not None
        assert addresses.database_url == servers.database_url
        assert addresses.broker_url == servers.broker_url
        assert addresses.pid == os.getpid()


def test_second_start_keeps_the_data(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False) as servers:
        with psycopg.connect(servers.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS number")

    with embedded_servers(data_dir, durable=False) as servers:
        assert one_value(servers.database_url, "SELECT number FROM kept") == 42


def test_second_owner_is_refused_in_one_sentence(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False):
        refused = subprocess.run(
            [sys.executable, "-c", OWNER, str(data_dir)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert refused.returncode == 1
    assert refused.stderr.strip() == (
        f"The servers of {data_dir} already run, owned by process {os.getpid()}: stop that one, "
        "or choose another DATA_DIR."
    )


def test_data_of_another_version_is_refused_in_one_sentence(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False) as servers:
        version = servers.postgres.data / "PG_VERSION"
    version.write_text("15\n")

    with pytest.raises(ServersError, match="made by PostgreSQL 15, but this Remit brings"):
        with embedded_servers(data_dir, durable=False):
            pass
    assert read_addresses(data_dir) is None


def test_half_made_cluster_is_made_again(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False) as servers:
        data = servers.postgres.data
    data.rename(data.with_name("unfinished"))

    with embedded_servers(data_dir, durable=False) as servers:
        assert one_value(servers.database_url, "SELECT 1") == 1


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_killed_owner_leaves_no_server(data_dir: Path, end: signal.Signals) -> None:
    owner, pids = start_owner(data_dir)
    assert all(_stat(pid) for pid in pids)

    owner.send_signal(end)
    owner.wait()

    wait_until(lambda: not any(_stat(pid) for pid in pids), 10, "both servers have ended")
    assert read_addresses(data_dir) is None


def test_start_right_after_a_killed_owner(data_dir: Path) -> None:
    owner, _ = start_owner(data_dir)
    before = json.loads((data_dir / "servers.json").read_text())
    owner.kill()
    owner.wait()

    with embedded_servers(data_dir, durable=False) as servers:
        assert one_value(servers.database_url, "SELECT 1") == 1
        assert not Path(before["socket_folder"]).exists()


def test_stale_pid_file_of_a_stranger_is_no_hindrance(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False) as servers:
        pid_file = servers.postgres.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    # Ours is a living process that is no PostgreSQL.
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    with embedded_servers(data_dir, durable=False) as servers:
        assert one_value(servers.database_url, "SELECT 1") == 1


def test_each_server_is_killed_and_started_alone(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False) as servers:
        database_url, broker_url = servers.database_url, servers.broker_url
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
            connection.execute("CHECKPOINT")
            servers.postgres.kill()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        servers.broker.kill()
        servers.postgres.start()
        servers.broker.start()

        assert (servers.database_url, servers.broker_url) == (database_url, broker_url)
        assert one_value(database_url, "SELECT number FROM kept") == 42
        assert redis.Redis.from_url(broker_url).ping() is True


def test_suspended_servers_accept_and_answer_only_when_resumed(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False) as servers:
        client = redis.Redis.from_url(servers.broker_url, socket_timeout=0.2, retry=ONCE)
        servers.broker.suspend()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        servers.broker.resume()
        assert client.ping() is True

        servers.postgres.suspend()
        with pytest.raises(psycopg.OperationalError, match="timeout"):
            psycopg.connect(servers.database_url, connect_timeout=2)
        servers.postgres.resume()
        assert one_value(servers.database_url, "SELECT 1") == 1


def test_suspended_servers_end_with_their_owner(data_dir: Path) -> None:
    with embedded_servers(data_dir, durable=False) as servers:
        pids = [servers.postgres.child.pid, servers.broker.child.pid]  # type: ignore[union-attr]
        servers.broker.suspend()
        servers.postgres.suspend()
    assert [_stat(pid) for pid in pids] == [[], []]


@pytest.mark.needs("root")
def test_root_lends_the_servers_a_user_and_opens_no_folder(data_dir: Path) -> None:
    closed = data_dir.parent
    closed.chmod(0o700)
    with embedded_servers(data_dir, durable=False) as servers:
        assert servers.postgres.child is not None
        owner = Path(f"/proc/{servers.postgres.child.pid}").stat().st_uid
        assert pwd.getpwuid(owner).pw_name == SYSTEM_USER
        assert not can_reach(closed, servers.postgres.account)
        assert (data_dir / "postgres").is_symlink()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@pytest.mark.needs("root")
def test_programs_in_a_closed_folder_are_copied(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    tree = tmp_path / "tree"
    tree.mkdir()
    program = tree / "program"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    account = servers_account()

    copy = reachable_tree(tree, "program", account)
    try:
        assert copy != tree
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
        assert reachable_tree(tree, "program", account) == copy
    finally:
        subprocess.run(["rm", "-rf", str(copy)], check=True)


def test_command_runs_beside_servers_and_hands_back_its_status(tmp_path: Path) -> None:
    look = (
        "import os, pathlib, sys; from portal.lib.servers import read_addresses;"
        "found = read_addresses(pathlib.Path(os.environ['DATA_DIR']));"
        "sys.exit(7 if found else 1)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "DATA_DIR"}
    done = subprocess.run(
        [sys.executable, "-m", "portal.lib.servers", sys.executable, "-c", look],
        env=environment,
        check=False,
    )
    assert done.returncode == 7
