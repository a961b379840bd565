"""The control calls of a fault bench: faults, pauses, latency and the calls seen.

`bench_client.py` is their client. No authentication: bench servers listen on loopback only.
"""

from typing import Any

from contrib.sandbox.bench import Bench, Fault, Pause
from contrib.sandbox.calls import Answer

_WAIT_MAX = 30.0


def bench_control(
    bench: Bench, method: str, parts: list[str], query: dict[str, str], body: Any
) -> Answer | None:
    """Answer one control call; None where it is none of the bench's. Raises ValueError,
    TypeError or KeyError for a mistake in it."""
    match (method, *parts):
        case ("PUT", "latency"):
            bench.latency[body["service"], body.get("region")] = float(body["seconds"])
            return Answer(200, {})
        case ("POST", "faults"):
            return Answer(201, {"number": bench.add_fault(Fault(**body))})
        case ("POST", "pauses"):
            return Answer(201, {"number": bench.add_pause(Pause(**body))})
        case ("DELETE", "faults" | "pauses", number):
            bench.remove(int(number))
            return Answer(200, {})
        case ("GET", "pauses", number):
            seconds = min(float(query.get("wait", "0")), _WAIT_MAX)
            count = int(query.get("count", "1"))
            return Answer(200, {"held": bench.wait_until_held(int(number), count, seconds)})
        case ("GET", "calls"):
            return Answer(200, {"calls": bench.calls_seen()})
        case ("GET", "most-in-flight"):
            rows = [[*place, count] for place, count in bench.most_in_flight.items()]
            return Answer(200, {"most": rows})
        case ("DELETE", "calls"):
            return Answer(200, {"calls": bench.take_calls()})
        case ("POST", "reset"):
            bench.clear()
            return Answer(200, {})
    return None
