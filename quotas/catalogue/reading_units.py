"""How a file says what something is counted in: `unit` and `step`."""

from dataclasses import dataclass

from . import words
from .document import Block
from .problems import Problems

BYTES, ACCESS = "B", "access"


@dataclass(frozen=True)
class Counting:
    """`unit` is the base unit, "" or "B"; of an access there is one or none."""

    unit: str
    step: int
    is_access: bool


def read_counting(block: Block, problems: Problems) -> Counting | None:
    """From `unit` and `step` of a resource or a limit, or None with a problem."""
    written = block.text("unit")
    if written not in ("", BYTES, ACCESS):
        problems.add(
            block.line_of("unit"),
            f"{written} is no unit; write B for bytes, access for what is granted or not, or "
            "leave it out for what is counted.",
        )
        return Counting("", 1, is_access=False)
    unit = written if written == BYTES else ""
    step = words.amount(block.get("step"), unit=unit, step=1) if block.get("step") else 1
    if step is None:
        return None
    if step < 1:
        problems.add(block.line_of("step"), f"step of {block.what} must be above zero.")
        return None
    if written == ACCESS and step != 1:
        problems.add(block.line_of("step"), f"{block.what} is granted or not: it has no step.")
        return None
    return Counting(unit, step, is_access=written == ACCESS)
