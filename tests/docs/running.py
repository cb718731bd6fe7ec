"""Runs the blocks of one page: a page is one folder that fills from top to bottom, as its reader's would.

- `shop.py` of the README is there from the beginning: pages use it as their application.
- A block whose first line is `# shop.py` is kept under that name for the blocks below it, which import it.
- A Python block with test functions is run by pytest. Its tests pass, unless its output has lines of an error, `E …` or
  `FAILED …`. Every other Python block is run as a script, unless its first line names a file.
- A `sh` block that begins with `pytest` or `qstash-fake` is run in this process; one that begins with
  `qstash-fake serve` starts the server of the `sh` blocks below it; the others are given to bash.
- A block that installs something is only read, and so is one below a comment `<!-- not run: REASON -->`.

The `text` or `json` block behind a block is what it prints: all of it for a script; for pytest, lines of its output in
their order, with `...` on a line of its own for lines left out; for a shell, what its last command printed, ids, times
and ports aside.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from qstash_fake.__main__ import main
from tests.docs.pages import Block, blocks_of
from tests.server.conftest import Running, serving
from tests.server.waits import WITHIN_S

LEFT_OUT = "..."
# Loading the plugins of others takes longer than most blocks.
PLUGINS = ("pytest_asyncio.plugin", "qstash_fake.pytest_plugin")
CHANGING = re.compile(r"msg_\w+|\d{4}-\d\d-\d\dT[\d:.]+Z|127\.0\.0\.1:\d+|in \d+ms")
# Pytester forgets after each run what the run has imported; what many blocks need is imported once, here.
# So are our own modules that are loaded late: two copies of one class are never equal.
FOREIGN = ("fastapi.testclient", "flask", "freezegun", "httpcore2", "pydantic.v1", "qstash", "time_machine")
OURS = tuple(f"qstash_fake.{name}" for name in ("explore", "plugin.exploring", "plugin.failures", "testing.saving"))
for module in (*FOREIGN, *OURS):
    import_module(module)


@dataclass
class Reader:
    """Who follows one page, in the folder of *pytester*."""

    pytester: pytest.Pytester
    stack: contextlib.ExitStack
    server: Running | None = None
    modules: frozenset[str] = field(default_factory=lambda: frozenset(sys.modules))

    def follow(self, page: str) -> None:
        """Do what the blocks of *page* say, from top to bottom."""
        self.pytester.makeini("[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n")
        if page != "README.md":
            self._write(next(block for block in blocks_of("README.md") if block.file == "shop.py"))
        for block in blocks_of(page):
            try:
                self._do(block)
            except BaseException as error:
                error.add_note(f"in {block.where}")
                raise

    def _do(self, block: Block) -> None:
        if block.file and block.language not in ("python", "sh"):
            self._write(block)  # another language's, or settings
        if block.not_run is not None:
            return
        if block.language == "python":
            path = self._write(block)
            if block.has_tests:
                self._pytest(block, [path])
            elif not block.is_a_module:
                self._script(block, path)
        elif block.language == "sh" and not block.is_an_install:
            self._shell(block)

    def _write(self, block: Block) -> str:
        name = block.file or ("test_block.py" if block.has_tests else "script.py")
        path = self.pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code, encoding="utf-8")
        return name

    def _script(self, block: Block, path: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            runpy.run_path(str(self.pytester.path / path), run_name="__main__")
        self._forget_modules()
        if block.output is not None:
            assert printed.getvalue() == block.output, f"printed:\n{printed.getvalue()}"

    def _forget_modules(self) -> None:
        """Forget the modules of the page: a later block may say something else under the same name."""
        here = str(self.pytester.path)
        for name in sys.modules.keys() - self.modules:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(here):
                del sys.modules[name]

    def _pytest(self, block: Block, arguments: Iterable[str]) -> None:
        given = ["-q", "-s", "-p", "no:cacheprovider", *arguments]
        if "django" in block.code:  # it is configured once in a process
            plugins = [*PLUGINS, *(["pytest_django.plugin"] if "django_db" in block.code else [])]
            given += [word for plugin in plugins for word in ("-p", plugin)]
            result = self.pytester.runpytest_subprocess(*given)
        else:
            result = self.pytester.runpytest_inprocess(*given, plugins=[import_module(name) for name in PLUGINS])
        outcomes = result.parseoutcomes()
        expected = "failed" if block.shows_a_failure else "passed"
        assert set(outcomes) - {"warnings", "deselected"} == {expected}, outcomes
        if block.output is not None:
            assert_shows(result.outlines, block.output.splitlines())

    def _shell(self, block: Block) -> None:
        words = shlex.split(block.code, comments=True)
        if words[0] == "pytest":
            return self._pytest(block, words[1:])
        if words[:2] == ["qstash-fake", "serve"]:
            self.server = self.stack.enter_context(serving(*words[2:], BROWSER="true"))  # `--open` opens none
            return assert_alike("\n".join(self.server.lines), block.output)
        if words[0] == "qstash-fake":
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                assert main(words[1:]) == 0
            return assert_alike(printed.getvalue(), block.output)
        # A mark after each call of curl: the page shows what the last one prints.
        marked = 'curl() { command curl --silent --show-error --fail "$@" && printf "\\036"; }\n'
        done = subprocess.run(
            ["bash", "-euc", marked + block.code],
            cwd=self.pytester.path,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return assert_alike(done.stdout.removesuffix("\036").split("\036")[-1], block.output)

    def _environment(self) -> dict[str, str]:
        """The environment of a shell: this Python's commands, and the variables of the server that was started."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **(self.server.environment if self.server else {}), "PATH": path}


def assert_alike(printed: str, shown: str | None) -> None:
    """Assert that *printed* is *shown* but for what differs from run to run."""
    if shown is not None:
        assert _constant(printed) == _constant(shown), f"printed:\n{printed}"


def _constant(text: str) -> Any:
    text = CHANGING.sub("…", text).strip()
    return json.loads(text) if text.startswith("{") else text


def assert_shows(printed: list[str], wanted: list[str]) -> None:
    """Assert that each run of wanted lines is printed as it stands, and one after the other."""
    position = 0
    lines = [line.rstrip() for line in printed]
    for chunk in "\n".join(wanted).split(f"\n{LEFT_OUT}\n"):
        part = chunk.removeprefix(f"{LEFT_OUT}\n").removesuffix(f"\n{LEFT_OUT}").splitlines()
        starts = [at for at in range(position, len(lines)) if lines[at : at + len(part)] == part]
        assert starts, f"not printed, or not in this order:\n{chunk}\n\nprinted:\n" + "\n".join(lines[position:])
        position = starts[0] + len(part)
