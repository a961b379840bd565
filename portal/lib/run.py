"""`make run`: all of Remit on this machine, to try it out, until Ctrl-C.

Owns the embedded servers and five processes: the sandbox cloud, web, worker, caller and beat. A
process that ends is started again, ever more slowly; when this one ends, all end.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType
from typing import NoReturn

from portal.celery import CALLS, WORK, WORKER_ARGUMENTS
from portal.lib import env
from portal.lib.servers import Servers, ServersError, embedded_servers
from portal.lib.servers.process import Child, tail
from portal.lib.servers.valkey import free_port

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "contrib" / "demo"
HOST = "127.0.0.1"
ANSWER_SECONDS = 60
SLOWEST_RESTART = 30.0
STEADY_SECONDS = 60.0


class Stop(BaseException):
    """Ctrl-C or SIGTERM. Not an Exception: nothing on the way may take it for its own."""


class Service:
    """One process, and when it may be started again."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path):
        self.name = name
        self.command = command
        self.environment = environment
        self.log = log
        self.pause = 1.0
        self.started_at = 0.0
        self.start_again_at: float | None = None
        self.child: Child | None = None

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.start_again_at = None
        self.child = Child(self.command, log=self.log, env=self.environment, cwd=ROOT)

    def keep_alive(self) -> None:
        """Start it again after its pause, which doubles while it keeps failing."""
        now = time.monotonic()
        if self.start_again_at is not None:
            if now >= self.start_again_at:
                self.start()
        elif self.child is not None and not self.child.is_running:
            if now - self.started_at > STEADY_SECONDS:
                self.pause = 1.0
            say(
                f"The {self.name} ended (status {self.child.popen.returncode}); starting it again "
                f"in {self.pause:g} s. Its last words are in {self.log}"
            )
            self.start_again_at = now + self.pause
            self.pause = min(self.pause * 2, SLOWEST_RESTART)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(seconds=5)


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        run()
    except ServersError as error:
        print(error, file=sys.stderr)
        return 1
    except Stop:
        say("Stopped; the data stays.")
    return 0


def run() -> NoReturn:
    if os.environ.get("DATABASE_URL") or os.environ.get("BROKER_URL"):
        raise ServersError(
            "`make run` brings a database and a broker of its own: unset DATABASE_URL and "
            "BROKER_URL, or start the services one by one as CONTRIBUTING.md says."
        )
    port = env.integer("PORT", 8000, low=1, high=65_535)
    data_dir = Path(env.text("DATA_DIR", str(ROOT / ".data"))).absolute()
    require_free(port)
    say("Starting the database and the broker …")
    with embedded_servers(data_dir) as servers:
        services: list[Service] = []
        try:
            serve(servers, services, data_dir=data_dir, port=port)
        finally:
            # A second Ctrl-C must not leave half of them behind.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            for service in reversed(services):
                service.stop()


def serve(servers: Servers, services: list[Service], *, data_dir: Path, port: int) -> NoReturn:
    """Prepare the database, start everything, tell the address, and keep it alive."""
    environment = os.environ | {
        "DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "REMIT_ENV": "development",
        "SANDBOX": "on",
        "MAIL_FOLDER": str(data_dir / "mail"),
    }
    clouds_yaml = data_dir / "clouds.yaml"

    def add(name: str, *command: str, **more: str) -> Service:
        log = data_dir / "logs" / f"{name.replace(' ', '-')}.log"
        log.unlink(missing_ok=True)
        service = Service(name, [sys.executable, "-m", *command], environment | more, log)
        services.append(service)
        service.start()
        return service

    if provider_port := env.integer("DEMO_PROVIDER", 0, low=0, high=65_535):
        require_free(provider_port, "DEMO_PROVIDER")
        environment |= provider_settings(provider_port)
        add("identity provider", "contrib.provider", "--port", str(provider_port))
    add(
        "sandbox cloud", "contrib.sandbox", "--port", str(free_port()),
        "--state-file", str(data_dir / "sandbox.json"), "--clouds-yaml", str(clouds_yaml),
    )  # fmt: skip
    say("Bringing the tables up to date …")
    manage(environment, "migrate", "--verbosity", "0")
    load_demo_once(
        environment | {"CLOUDS_YAML": str(clouds_yaml)}, servers.postgres.home / "demo-loaded"
    )
    web = add("web server", "gunicorn", "--config", "portal/gunicorn_conf.py", "portal.wsgi")
    worker = add(
        "worker", "celery", "--app", "portal", *WORKER_ARGUMENTS,
        "--hostname=worker@%h", f"--queues={','.join(WORK)}", "--concurrency=4",
        CLOUDS_YAML=str(clouds_yaml),
    )  # fmt: skip
    add(
        "caller", "celery", "--app", "portal", *WORKER_ARGUMENTS,
        "--hostname=caller@%h", f"--queues={','.join(CALLS)}", "--pool=threads", "--concurrency=8",
    )  # fmt: skip
    add(
        "beat", "celery", "--app", "portal", "beat", "--schedule", str(data_dir / "beat-schedule"),
        "--pidfile", "", "--loglevel", "INFO",
    )  # fmt: skip
    wait_for_answer(web, f"http://{HOST}:{port}/readyz")
    wait_for_worker(worker)
    greet(port, data_dir)
    while True:
        for service in services:
            service.keep_alive()
        time.sleep(0.5)


def provider_settings(port: int) -> dict[str, str]:
    """What makes a site's people sign in at the demo's own provider; contrib/provider reads it."""
    return {
        "OIDC_ISSUER": f"http://{HOST}:{port}",
        "OIDC_CLIENT_ID": "remit",
        "OIDC_CLIENT_SECRET": "of-the-demo",
        "OIDC_NAME": "the demo’s provider",
        "OIDC_SCOPES": "openid,profile,email,groups",
    }


def require_free(port: int, name: str = "PORT") -> None:
    """Asked before anything is started; gunicorn would say it in its log only."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise ServersError(
                f"Port {port} is kept for root: choose one above 1023, as in {name}=8001 make run."
            ) from None
        except OSError:
            raise ServersError(
                f"Port {port} is taken, perhaps by another `make run`: choose another, "
                f"as in {name}={port + 1 if port < 65_535 else 8001} make run."
            ) from None


def manage(environment: dict[str, str], *arguments: str) -> None:
    """One command of manage.py; what it says is shown only when it fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServersError(f"{done.stdout.strip()}\n`manage.py {arguments[0]}` failed; see above.")


def load_demo_once(environment: dict[str, str], stamp: Path) -> None:
    """The stamp lies beside the database's files and goes when they go."""
    if stamp.exists():
        return
    say("Loading the demo site …")
    # The catalogue and the past in one: the demo's people were there when it began.
    manage(environment, "load_demo")
    stamp.touch()


def wait_for_answer(web: Service, url: str) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 our own address
                return
        except (urllib.error.URLError, OSError):
            pass
        ended = web.child is None or not web.child.is_running
        if ended or time.monotonic() > deadline:
            raise ServersError(f"The web server does not answer at {url}:\n{tail(web.log)}")
        time.sleep(0.1)


def wait_for_worker(worker: Service) -> None:
    """Pages answer without it, but nothing that is decided would become true."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while "ready." not in worker.log.read_text(errors="replace"):
        if worker.child is None or not worker.child.is_running or time.monotonic() > deadline:
            raise ServersError(f"The worker does not start:\n{tail(worker.log)}")
        time.sleep(0.1)


def greet(port: int, data_dir: Path) -> None:
    """The address last, so that it is what one sees; the demo's own text before it."""
    address = f"http://{HOST}:{port}/"
    welcome = DEMO / "welcome.txt"
    if welcome.exists():
        say("\n" + welcome.read_text().replace("{address}", address).strip() + "\n")
    say(f"Remit answers at {address}")
    if not os.environ.get("EMAIL_HOST"):
        say(f"Mail goes to nobody: each letter is a file in {data_dir / 'mail'}")
    say(f"Data and logs are in {data_dir}. Ctrl-C ends all of it.")


def say(text: str) -> None:
    print(text, flush=True)


def _stop(signum: int, frame: FrameType | None) -> NoReturn:
    raise Stop


if __name__ == "__main__":
    sys.exit(main())
