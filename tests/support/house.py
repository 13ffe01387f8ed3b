"""The laws of the house as functions: a module in, its faults out.

Called by `tests/test_house.py` alone, which applies them to the tree and proves that each can find a fault.
Pure: everything is read from the parsed source, nothing is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

FLOORS = ("realtime", "storage", "channels", "presence", "gateway", "loadtest")

MAY_USE: dict[str, tuple[str, ...]] = {
    "realtime": ("realtime",),
    "storage": ("storage", "realtime"),
    "channels": ("channels", "storage", "realtime"),
    "presence": ("presence", "storage", "realtime"),
    "gateway": ("gateway", "channels", "presence", "storage", "realtime"),
    "loadtest": ("loadtest", "realtime"),
}

DRIVERS = ("redis", "hiredis", "apsw", "sqlite3", "psycopg", "aiosmtplib", "smtplib")
DOORS = ("socket", "starlette", "uvicorn", "websockets")

MAY_NOT_USE: dict[str, tuple[str, ...]] = {
    "realtime": (*DRIVERS, *DOORS, "asyncio", "uvloop"),
    "storage": ("starlette", "uvicorn", "websockets"),
    "channels": (*DRIVERS, *DOORS),
    "presence": (*DRIVERS, *DOORS),
    "gateway": DRIVERS,
    # Parcels travel between nodes; a client never sees one.
    "loadtest": (*DRIVERS, "starlette", "uvicorn", "realtime.parcels"),
}

# Pure functions of RFC 6455 (masks, close bodies) that the ground shares with the library; no I/O in them.
MAY_STILL_USE: dict[str, tuple[str, ...]] = {"realtime": ("websockets.frames", "websockets.speedups")}

# With the words that make it a statement: "DELETE /rooms/{room}" is a route, "Select a room" is a sentence.
STATEMENT = re.compile(
    r"\s*(SELECT\s[^.]*\sFROM\s+\S|SELECT\s+[\d(*]|INSERT\s+(INTO|OR)\b|UPDATE\s+\S+\s+SET\b|DELETE\s+FROM\b"
    r"|CREATE\s+(OR|TABLE|UNIQUE|INDEX|VIRTUAL|TEMP\w*|TYPE|FUNCTION|TRIGGER|VIEW|SCHEMA|EXTENSION)\b)",
    re.IGNORECASE,
)

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file. `path` is relative to the checkout, with slashes."""

    path: str
    source: str

    @property
    def floor(self) -> str:
        """The top folder, which is the top package."""
        return self.path.partition("/")[0]

    @property
    def package(self) -> list[str]:
        """The packages the module lies in, from the top."""
        return self.path.split("/")[:-1]

    def tree(self) -> ast.Module:
        """The parsed source."""
        return ast.parse(self.source, self.path)


def imported(module: Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported, at any depth, for types only and by function as well."""
    for node in ast.walk(module.tree()):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=name, names=names, level=level):
                near = module.package[: len(module.package) - level + 1] if level else []
                base = ".".join([*near, *([name] if name else [])])
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def floor_faults(module: Module) -> Iterator[str]:
    """Arrows only downward, siblings don't speak, and each floor keeps off what is not its own."""
    for line, name in imported(module):
        top = name.partition(".")[0]
        foreign = top in (*FLOORS, "tests") and top not in MAY_USE[module.floor]
        allowed = any(_is_within(name, each) for each in MAY_STILL_USE.get(module.floor, ()))
        forbidden = not allowed and any(_is_within(name, each) for each in MAY_NOT_USE[module.floor])
        if foreign or forbidden:
            yield f"{module.path}:{line}: {module.floor} must not import {name}"


def waiting_faults(module: Module) -> Iterator[str]:
    """The ground never awaits."""
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for node in ast.walk(module.tree()):
        comprehension = isinstance(node, ast.comprehension) and node.is_async
        if module.floor == "realtime" and (isinstance(node, waits) or comprehension):
            line = node.target.lineno if isinstance(node, ast.comprehension) else getattr(node, "lineno", 0)
            yield f"{module.path}:{line}: the ground never awaits"


def sql_faults(module: Module) -> Iterator[str]:
    """The only SQL is in storage."""
    for line, text in _texts(module):
        if module.floor != "storage" and STATEMENT.match(text):
            yield f"{module.path}:{line}: SQL outside storage: {text.strip()[:40]!r}"


def _texts(module: Module) -> Iterator[tuple[int, str]]:
    """Every string, and every f-string as one text with a word in place of each value."""
    nodes = list(ast.walk(module.tree()))
    parts = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)) if node not in parts:
                yield node.lineno, text
            case ast.JoinedStr(values=values):
                pieces = (part.value if isinstance(part, ast.Constant) else "value" for part in values)
                yield node.lineno, "".join(map(str, pieces))


def size_faults(module: Module) -> Iterator[str]:
    """Files, functions and lists of parameters that fit into a head."""
    lines = len(module.source.splitlines())
    if lines > FILE_LINES_MAX:
        yield f"{module.path}: {lines} lines; at most {FILE_LINES_MAX}"
    for node in ast.walk(module.tree()):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{module.path}:{node.lineno}: {node.name} has {length} lines; at most {FUNCTION_LINES_MAX}"
            count = len(_parameters(node))
            if count > PARAMETERS_MAX:
                yield f"{module.path}:{node.lineno}: {node.name} has {count} parameters; at most {PARAMETERS_MAX}"


def _parameters(function: Function) -> list[str]:
    """The names of the parameters, without the one that stands for the object itself."""
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args)]
    own = names[:1] if names[:1] in (["self"], ["cls"]) else []
    return names[len(own) :] + [each.arg for each in given.kwonlyargs]


def docstring_faults(module: Module) -> Iterator[str]:
    """A module opens with what it owns."""
    if not ast.get_docstring(module.tree()):
        yield f"{module.path}: no docstring"


CONTAINERS = {"list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict", "Counter", "WeakSet"}
CONTAINERS |= {"WeakKeyDictionary", "WeakValueDictionary"}


def state_faults(module: Module) -> Iterator[str]:
    """Module level holds constants and tables only: nothing that is filled or rebound while running.

    A table is written out in full behind a name in capitals; an empty container is there to be filled.
    """
    for node in ast.walk(module.tree()):
        if isinstance(node, ast.Global):
            yield f"{module.path}:{node.lineno}: rebinds {', '.join(node.names)} of the module"
    for statement in module.tree().body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        constant = name.strip("_").isupper() or (name.startswith("__") and name.endswith("__"))
        if _is_empty_container(value) or (_is_container(value) and not constant):
            yield f"{module.path}:{statement.lineno}: {name} is state at module level"


def _is_container(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        called = value.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        return name in CONTAINERS
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def _is_empty_container(value: ast.expr) -> bool:
    match value:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Name(id="defaultdict") | ast.Attribute(attr="defaultdict")):
            return True
        case ast.Call(args=[], keywords=keywords):
            return _is_container(value) and all(keyword.arg == "maxlen" for keyword in keywords)
    return False


LAWS: tuple[Callable[[Module], Iterator[str]], ...] = (
    floor_faults,
    waiting_faults,
    sql_faults,
    size_faults,
    docstring_faults,
    state_faults,
)
