"""What a decider saw of a request, as pages carry it and bring it back."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shown:
    """A request as a decider saw it. seen: {line id: the quota of then}, of the lines meant."""

    number: int
    version: int
    seen: Mapping[int, int] = field(default_factory=dict)

    def text(self) -> str:
        """As a form carries it: "1042.3.77-128.78-512"."""
        lines = (f"{line_id}-{balance}" for line_id, balance in sorted(self.seen.items()))
        return ".".join([str(self.number), str(self.version), *lines])

    @classmethod
    def read(cls, text: str) -> "Shown":
        """The reverse of `text`; raises ValueError for what it did not write."""
        parts = text.split(".")
        numbers = [each for part in parts for each in part.split("-")]
        if not all(each.isascii() and each.isdigit() and len(each) < 19 for each in numbers):
            raise ValueError(text)
        number, version, *lines = parts
        seen = dict(each.split("-") for each in lines)
        return cls(int(number), int(version), {int(k): int(v) for k, v in seen.items()})
