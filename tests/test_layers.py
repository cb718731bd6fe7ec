"""The layer rule: who may import whom, read from the source: in functions and for types as well.

1. A module imports only from its own layer and from the layers before it.
2. What every pytest run loads (LIGHT) imports at load time only the standard library and what LIGHT allows.
3. `protocol` and `broker` are told and never ask: no clock, randomness, environment, thread or network.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "qstash_fake"
LAYERS = (
    "errors",
    "protocol",
    "broker",
    "delivery",
    "api",
    "page",
    "intercept",
    "engines",
    "testing",
    "explore",
    "server",
    "__init__",
    "plugin",
    "pytest_plugin",
    "__main__",
)

# The guard stands in every run.
LIGHT_INTERCEPT = {
    "pytest",
    *(f"{PACKAGE}.intercept.{name}" for name in ("CLIENTS", "cloud", "guard", "importlib_bootstrap", "patch")),
}
PLUGIN = f"{PACKAGE}.plugin"  # the package: what is in it, and not the modules below it
LIGHT_PLUGIN = {*LIGHT_INTERCEPT, PLUGIN, f"{PLUGIN}.fake_of", f"{PLUGIN}.strays"}
LIGHT = {
    "__init__": set[str](),
    **{f"intercept/{name}": LIGHT_INTERCEPT for name in ("__init__", "cloud", "guard", "importlib_bootstrap", "patch")},
    **{f"plugin/{name}": LIGHT_PLUGIN for name in ("__init__", "strays")},
    "pytest_plugin": LIGHT_PLUGIN,
}

PURE_LAYERS = ("protocol", "broker")
CLOCKS_AND_CHANCE = {"time", "random", "secrets", "uuid"}
THREADS = {"asyncio", "concurrent", "multiprocessing", "subprocess", "threading"}
NETWORK = {"http", "httpx", "httpx2", "requests", "select", "selectors", "socket", "ssl", "urllib.request"}
IMPURE = CLOCKS_AND_CHANCE | THREADS | NETWORK | {"os"}
# Values of impure modules.
VALUES = {"http.HTTPStatus", "httpx.Headers", "httpx.InvalidURL", "httpx.QueryParams", "httpx.URL"}
ALLOWED = {"broker/account.py": {"threading.RLock"}}  # the one lock, around publish, next and complete
WALL_CLOCKS = {"now", "today", "utcnow"}


class Import(NamedTuple):
    name: str  # the dotted name, up to and with what `from` takes out of the module
    line: int
    at_import_time: bool


def violations(package: Path) -> list[str]:
    """Every breach of the three rules below *package*, each as "file:line: sentence"."""
    found = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        inner = path.relative_to(package)
        layer = inner.parts[0].removesuffix(".py")
        if layer not in LAYERS:
            breaches = [(1, f"{layer} is in no layer: give it a place in LAYERS")]
        else:
            imports = list(_imports(tree, path.relative_to(package.parent)))
            breaches = [*_upward(layer, imports), *_heavy(inner.with_suffix("").as_posix(), layer, imports)]
            if layer in PURE_LAYERS:
                breaches += _impure(tree, imports, ALLOWED.get(inner.as_posix(), set()))
        found += [f"{path.relative_to(package.parent)}:{line}: {text}" for line, text in sorted(breaches)]
    return found


def _upward(layer: str, imports: list[Import]) -> Iterator[tuple[int, str]]:
    for name, line, _ in imports:
        target = _layer_of(name)
        if target and (target not in LAYERS or LAYERS.index(target) > LAYERS.index(layer)):
            yield line, f"{layer} imports {name}, but {target} does not stand before {layer}"


def _heavy(module: str, layer: str, imports: list[Import]) -> Iterator[tuple[int, str]]:
    allowed = LIGHT.get(module, LIGHT.get(layer))
    if allowed is None:
        return
    for name, line, at_import_time in imports:
        is_light = name.split(".")[0] in sys.stdlib_module_names or any(
            name == light or (light != PLUGIN and _is_in(name, light)) for light in allowed
        )
        if at_import_time and not is_light:
            yield line, f"{module} imports {name} when it is loaded, and every pytest run loads it"


def _impure(tree: ast.Module, imports: list[Import], allowed: set[str]) -> Iterator[tuple[int, str]]:
    for name, line, _ in imports:
        module = next((impure for impure in IMPURE if _is_in(name, impure)), None)
        # `import httpx` is as good as the names that are taken out of it.
        taken = _taken_out(tree, name) or [(name, line)]
        for what, where in taken if module else ():
            if not any(_is_in(what, value) for value in VALUES | allowed):
                yield where, f"the core is told, it never asks: {what}"
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in WALL_CLOCKS:
                if ast.unparse(owner).split(".")[-1] in {"date", "datetime"}:
                    yield node.lineno, f"the core is told, it never asks: {ast.unparse(node.func)}()"


def _taken_out(tree: ast.Module, module: str) -> list[tuple[str, int]]:
    """The names that *tree* takes out of *module* by attribute, with their lines."""
    return [
        (f"{module}.{node.attr}", node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == module
    ]


def _imports(tree: ast.Module, path: Path) -> Iterator[Import]:
    """Every import of *tree*: statements, and `import_module("literal")`."""
    lazy = {id(inner) for node in ast.walk(tree) if _is_lazy(node) for inner in ast.walk(node)}
    folder = path.parent.parts
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                base = ".".join([*folder[: len(folder) - level + 1], *([module] if module else [])])
                modules = [f"{base if level else module}.{alias.name}" for alias in names]
            case ast.Call(func=function, args=[ast.Constant(value=str(module)), *_]) if ast.unparse(function).endswith(
                "import_module"
            ):
                modules = [module]
            case _:
                continue
        for name in modules:
            yield Import(name, node.lineno, id(node) not in lazy)


def _is_lazy(node: ast.AST) -> bool:
    """Whether loading the module skips what stands in *node*: functions, and what is there for types."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            return True
        case ast.If(test=test, orelse=[]):
            return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
    return False


def _layer_of(name: str) -> str | None:
    """The layer that *name* reaches into, or None for another package; a public name is of the `__init__`."""
    package, _, rest = name.partition(".")
    if package != PACKAGE:
        return None
    first = rest.partition(".")[0]
    return first if first in LAYERS or "." in rest else "__init__"


def _is_in(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def test_the_package_keeps_its_layers():
    found = violations(ROOT / PACKAGE)
    assert not found, "\n" + "\n".join(found)


def test_the_layers_of_the_documentation_are_these_in_this_order():
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^[0-9]+\. `(\w+)`: ", page, re.MULTILINE)) == LAYERS


@pytest.mark.parametrize(
    ("file", "source", "line"),
    [
        ("protocol/a.py", "from qstash_fake.broker import broker", 1),
        ("protocol/a.py", "import qstash_fake.broker.agenda as agenda", 1),
        ("broker/a.py", "def late():\n    from qstash_fake.api import wire", 2),
        ("broker/a.py", "import typing\nif typing.TYPE_CHECKING:\n    import qstash_fake.testing.clock", 3),
        ("broker/a.py", "from ..testing.fake import QStashFake", 1),
        ("broker/a.py", "from .. import testing", 1),
        ("broker/__init__.py", "from ..api import wire", 1),
        ("delivery/a.py", "from qstash_fake import QStashFake", 1),
        ("testing/a.py", "from qstash_fake import errors, server", 1),
        ("engines/a.py", "import importlib\nimportlib.import_module('qstash_fake.testing.timeline')", 2),
        ("helpers.py", "", 1),
        ("__init__.py", "from qstash_fake.testing.fake import QStashFake", 1),
        ("intercept/guard.py", "import httpx", 1),
        ("pytest_plugin.py", "import pytest\nimport httpx", 2),
        ("plugin/__init__.py", "from qstash_fake.testing.fake import QStashFake", 1),
        ("intercept/guard.py", "from qstash_fake.intercept import httpx", 1),
        ("pytest_plugin.py", "from qstash_fake.plugin import fakes", 1),
        ("pytest_plugin.py", "from qstash_fake.plugin.fakes import of_test", 1),
        ("pytest_plugin.py", "class Late:\n    from qstash_fake.testing.fake import QStashFake", 2),
        ("protocol/a.py", "import time", 1),
        ("protocol/a.py", "from time import time", 1),
        ("protocol/a.py", "def roll():\n    import random as dice", 2),
        ("protocol/a.py", "from os import environ", 1),
        ("protocol/a.py", "from datetime import UTC, datetime\nnoon = datetime.now(UTC)", 2),
        ("protocol/a.py", "import datetime\nnoon = datetime.datetime.utcnow()", 2),
        ("broker/a.py", "from uuid import uuid4", 1),
        ("broker/a.py", "import socket", 1),
        ("broker/a.py", "import asyncio", 1),
        ("broker/a.py", "from httpx import Client", 1),
        ("broker/a.py", "import httpx\nheaders = httpx.Headers()\nclient = httpx.Client()", 3),
        ("broker/a.py", "import httpx as web\nclient = web.Client()", 1),
        ("broker/a.py", "from threading import RLock", 1),
        ("broker/account.py", "from threading import Thread", 1),
        ("broker/account.py", "import threading", 1),
    ],
)
def test_a_planted_breach_is_found_by_file_and_line(tmp_path, file, source, line):
    plant(tmp_path, file, source)
    (found,) = violations(tmp_path / PACKAGE)
    assert found.startswith(f"{PACKAGE}/{file}:{line}: ")


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("broker/a.py", "from qstash_fake import errors\nfrom qstash_fake.protocol.cron import Cron"),
        ("broker/a.py", "from qstash_fake.broker.agenda import Agenda\nfrom .agenda import Agenda"),
        ("broker/a.py", "from datetime import datetime, time, timedelta"),
        ("broker/a.py", "from urllib.parse import urlsplit\nfrom httpx import Headers"),
        ("broker/a.py", "def fire(clock):\n    return clock.now()"),
        ("broker/a.py", "import httpx\nheaders = httpx.Headers()"),
        ("broker/account.py", "from threading import RLock"),
        ("broker/account.py", "import threading\nlock = threading.RLock()"),
        ("delivery/a.py", "import time\nimport httpx\nimport asyncio"),
        ("__init__.py", "def __getattr__(name):\n    from qstash_fake.testing.fake import QStashFake"),
        (
            "__init__.py",
            "import typing\nif typing.TYPE_CHECKING:\n    from qstash_fake.testing.fake import QStashFake",
        ),
        ("pytest_plugin.py", "import pytest\ndef fixture():\n    from qstash_fake.testing.fake import QStashFake"),
        ("intercept/a.py", "from qstash_fake.intercept import httpx"),
        ("__main__.py", "from qstash_fake import QStashFake\nimport uvicorn"),
        ("__main__.py", "from qstash_fake.server import serve"),
    ],
)
def test_what_the_rules_allow_passes(tmp_path, file, source):
    plant(tmp_path, file, source)
    assert violations(tmp_path / PACKAGE) == []


def plant(folder: Path, file: str, source: str) -> None:
    path = folder / PACKAGE / file
    path.parent.mkdir(parents=True)
    path.write_text(source, encoding="utf-8")
