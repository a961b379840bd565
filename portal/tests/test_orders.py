"""Whether tests that compare rows as a list ask for them in an order.

Without one the database may answer in another order each time: such a test fails once in
many runs, on somebody else's machine. `set(...)`, `sorted(...)` and `order_by` all say what
is meant.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAYS = frozenset({"order_by", "earliest", "latest", "in_bulk", "aggregate", "select_for_update"})


def chain(node: ast.expr) -> list[str]:
    """The names of a chain of calls, the last first: `A.objects.all()` is [all, objects, A]."""
    names: list[str] = []
    while True:
        match node:
            case ast.Call(func=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.Attribute(value=inner, attr=name):
                names.append(name)
                node = inner
            case ast.Name(id=name):
                return [*names, name]
            case _:
                return names


def unordered(text: str) -> Iterator[int]:
    """Lines on which rows become a list without an order."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Name(id="list"), args=[rows]):
                names = chain(rows)
                if "objects" in names and not SAYS & set(names):
                    yield node.lineno


def test_rows_become_a_list_in_an_order() -> None:
    files = [
        path
        for app in ("portal", "projects", "quotas", "contrib")
        for path in (ROOT / app).rglob("*.py")
        if "tests" in path.parts
    ]

    assert [f"{path}:{line}" for path in files for line in unordered(path.read_text())] == []


def test_what_is_looked_for_is_found() -> None:
    assert list(unordered("list(A.objects.values_list('pk'))")) == [1]
    assert list(unordered("list(A.objects.order_by('pk').values_list('pk'))")) == []
    assert list(unordered("set(A.objects.all())")) == []
