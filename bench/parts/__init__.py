"""What is measured, part by part; each runs alone by `python -m bench <part>`.

A part is a module with `def run(site: Site, report: Report) -> list[Figure]`. Its figures become
rows by the limits of bench/harness/limits.py, where a part's works are named; its rows take the
place of those that it wrote before. A process of its own runs it, on each of the part's scales.
"""

from dataclasses import dataclass

SCALES = ("small", "tenth", "large")


@dataclass(frozen=True)
class Part:
    """scales: the made sites that it is measured on; none: it brings its own site.

    module: imported in an environment of the site, with Django set up; of a part that brings its
    own, without either. writes: it changes the site, and so is given a copy.
    """

    module: str
    about: str
    scales: tuple[str, ...] = SCALES
    writes: bool = False


PARTS: dict[str, Part] = {
    "pages": Part("bench.parts.pages", "pages and lists of the API, beside their floors"),
    "verbs": Part(
        "bench.parts.verbs", "submit, approve, back to the queue, a hundred at once", writes=True
    ),
    "many": Part("bench.parts.pages", "the queue with 100,000 open", ("large_many",)),
    "ledger": Part("bench.parts.ledger", "the whole ledger added up again", ("large",)),
    "idle": Part("bench.parts.idle", "from a decision to applied, at rest", scales=()),
    "delivery": Part("bench.parts.delivery", "many changes, beside a bare client", scales=()),
    "contention": Part(
        "bench.parts.contention",
        "decisions on one envelope, on one total, and spread",
        ("tenth_many",),
        writes=True,
    ),
    "sweep": Part("bench.parts.sweep", "the use of all projects of a cloud", scales=()),
    "memory": Part(
        "bench.parts.memory", "web and workers over an hour of load", ("large",), writes=True
    ),
}
