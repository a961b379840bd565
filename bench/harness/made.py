"""Pages of which a part is made of results and the rest is by hand.

`<!-- made: name -->` begins what is made, `<!-- end: name -->` ends it.
"""

import re
from collections.abc import Mapping

_MADE = re.compile(r"(<!-- made: (\S+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)


def filled(text: str, tables: Mapping[str, str]) -> str:
    """The page with these tables in their places; a place of none of them keeps what it has.

    tables: {name: Markdown}. Raises LookupError for a table that has no place.
    """
    places = {name for _begin, name, _end in _MADE.findall(text)}
    if lacking := sorted(tables.keys() - places):
        raise LookupError(f"The page has no place for {', '.join(lacking)}.")

    def put(made: re.Match[str]) -> str:
        name = made[2]
        return f"{made[1]}{tables[name]}\n{made[3]}" if name in tables else made[0]

    return _MADE.sub(put, text)
