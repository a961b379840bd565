"""Start the provider, change its people and its faults, and walk its pages as a browser would."""

import json
import re
import signal
import time
import urllib.error
import urllib.request
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import requests

from portal.lib.servers.process import Child, tail
from portal.lib.servers.valkey import free_port

PROGRAM = Path(__file__).with_name("provider.mjs")
START_SECONDS = 30
CLIENT_ID, CLIENT_SECRET = "remit", "of-tests-and-demos"


class RunningProvider:
    """A provider of this machine; its people are {subject: claims}."""

    def __init__(self, modules: Path, log: Path, port: int = 0) -> None:
        self.port = port or free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._modules = modules
        self._log = log
        self._child: Child | None = None

    def start(self, people: dict[str, Any] | None = None) -> None:
        """Return once it answers."""
        config = {
            "port": self.port,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "people": people or {},
        }
        command = ["node", str(PROGRAM), str(self._modules), json.dumps(config)]
        self._child = Child(command, log=self._log)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"{self.issuer}/jwks", timeout=5):  # noqa: S310 our own
                    return
            except (urllib.error.URLError, OSError):
                pass
            if not self._child.is_running or time.monotonic() > deadline:
                raise RuntimeError(f"the provider does not start:\n{tail(self._log)}")
            time.sleep(0.05)

    def stop(self) -> None:
        """As if it were gone: its address refuses."""
        if self._child is not None:
            self._child.stop(seconds=5)
            self._child = None

    def suspend(self) -> None:
        """It takes calls and answers none."""
        if self._child is not None:
            self._child.popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._child is not None:
            self._child.popen.send_signal(signal.SIGCONT)

    def person(self, subject: str, **claims: Any) -> None:
        """Somebody with these claims; whoever was called so before is forgotten."""
        self._put(f"people/{quote(subject, safe='')}", claims)

    def fault(self, name: str) -> None:
        """Spoil all tokens from now on; "" ends it. `FAULTS` of the program names them."""
        self._put("fault", name)

    def _put(self, what: str, value: Any) -> None:
        answer = requests.put(f"{self.issuer}/bench/{what}", json=value, timeout=5)
        answer.raise_for_status()

    def walk(self, url: str, subject: str, *, cancels: bool = False) -> str:
        """The address that the provider sends the person back to.

        url: where they were sent. They type their subject and agree, or press Cancel.
        """
        with requests.Session() as browser:
            answer = browser.get(url, timeout=5)
            for _page in range(4):
                if cancels:
                    way = re.search(r'href="([^"]*/abort)"', answer.text)
                else:
                    way = re.search(r'action="([^"]+)"', answer.text)
                if way is None:
                    raise RuntimeError(f"a page without a way on: {answer.text[:500]}")
                target = urljoin(answer.url, unescape(way.group(1)))
                if cancels:
                    answer = browser.get(target, timeout=5, allow_redirects=False)
                else:
                    fields = dict(re.findall(r'name="(prompt)" value="(\w+)"', answer.text))
                    answer = browser.post(
                        target,
                        data=fields | {"login": subject, "password": "any"},
                        timeout=5,
                        allow_redirects=False,
                    )
                while answer.is_redirect:
                    target = urljoin(answer.url, answer.headers["Location"])
                    if not target.startswith(self.issuer):
                        return target
                    answer = browser.get(target, timeout=5, allow_redirects=False)
        raise RuntimeError("the provider asks and asks")
