"""Known problems: what an error means for people, what fixes it, and which remedy is safe.

The knowledge is data (known.yaml, and a file of the site); this package reads it, checks it
and finds the entry of an error. It knows no table.
"""

from .matching import Known, Problem, Remedy, known, match

__all__ = ["Known", "Problem", "Remedy", "known", "match"]
