"""A fault bench as tests handle it, whether the sandbox's own or the proxy's."""

import json
import urllib.error
import urllib.request
from types import TracebackType
from typing import Any, ClassVar, Self


class BenchClient:
    """A client of the control calls. Services are "identity", "compute", "volume", "network",
    "share", "balancer" and "storage"; what matches calls is service, region, method, path and body
    (patterns), skip and count."""

    CONTROL: ClassVar[str]

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def set_latency(self, service: str, seconds: float, *, region: str | None = None) -> None:
        self._call("PUT", "latency", {"service": service, "region": region, "seconds": seconds})

    def add_fault(self, kind: str, **match_and_more: Any) -> "Fault":
        """One of `bench.KINDS`; with what matches, and status, message, retry_after, seconds
        where the kind has them."""
        answer = self._call("POST", "faults", {"kind": kind, **match_and_more})
        return Fault(self, answer["number"])

    def pause(self, when: str = "before", **match: Any) -> "Pause":
        """Hold the calls that match before they are done, or after, before they are answered.
        A context manager: it releases at the end."""
        return Pause(self, self._call("POST", "pauses", {"when": when, **match})["number"])

    def calls(
        self, *, service: str | None = None, region: str | None = None, method: str | None = None
    ) -> list[dict[str, Any]]:
        """Calls seen: number, service, region, method, path, body, status; oldest first."""
        wanted = {"service": service, "region": region, "method": method}
        return [
            call
            for call in self._call("GET", "calls")["calls"]
            if all(value in (None, call[key]) for key, value in wanted.items())
        ]

    def most_in_flight(self) -> dict[tuple[str, str | None], int]:
        """The most calls at once of each (service, region) since calls were forgotten."""
        rows = self._call("GET", "most-in-flight")["most"]
        return {(service, region): count for service, region, count in rows}

    def take_calls(self) -> list[dict[str, Any]]:
        """All calls seen, with the fault that each met; the bench forgets them."""
        found: list[dict[str, Any]] = self._call("DELETE", "calls")["calls"]
        return found

    def forget_calls(self) -> None:
        self.take_calls()

    def reset(self) -> None:
        """No faults, pauses, latency or calls; what the services hold stays."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.url}/{self.CONTROL}/{path}"
        request = urllib.request.Request(url, data, method=method)  # noqa: S310 -- of ours
        # No proxy: the bench is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=40) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            raise ValueError(json.loads(error.read())["error"]) from None


class Fault:
    """A fault that was set; a context manager that takes it away at the end."""

    def __init__(self, bench: BenchClient, number: int) -> None:
        self._bench = bench
        self._number = number

    def remove(self) -> None:
        """What hangs is let go, without an answer."""
        self._bench._call("DELETE", f"faults/{self._number}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()


class Pause(Fault):
    """A pause that was set."""

    def wait_until_held(self, seconds: float = 20.0, *, count: int = 1) -> None:
        """Return once so many calls were held; raises TimeoutError."""
        path = f"pauses/{self._number}?wait={min(seconds, 30.0)}&count={count}"
        if not self._bench._call("GET", path)["held"]:
            raise TimeoutError(f"no call came to pause {self._number} within {seconds} s")

    def release(self) -> None:
        """Let go what is held, and hold nothing more."""
        self.remove()
