"""Every Python block of the README and of the pages below docs/ is run, and prints what its page says it prints.

The convention: the page is one folder that fills from top to bottom, as its reader's would.

- A block is a file. A first line such as `# shop.py` names it, and it stays there for the blocks below.
- A block with test functions is run by `pytest -q -s`. Its tests pass, unless the output on the page has lines of an
  error, `E …`.
- Every other block is run as a script.
- A `text` block after a Python block, with no other block or heading in between, is what that prints: all of it for a
  script; for tests, lines of pytest's output in their order, `...` on a line of its own standing for lines left out.
- A block that mentions Django runs in a process of its own: Django is configured once in a process.
"""

import contextlib
import io
import itertools
import os
import re
import runpy
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import fastapi.testclient  # noqa: F401 - imported here once, instead of anew in the run of each block
import flask  # noqa: F401
import pytest

from qstash_fake.plugin.options import OPTIONS
from qstash_fake.testing.fake import QStashFake

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"# (\S+\.py)\n")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
LEFT_OUT = "..."


class Block(NamedTuple):
    heading: str
    line: int
    code: str
    output: str | None

    @property
    def name(self) -> str:
        named = NAME.match(self.code)
        return named[1] if named else ("test_block.py" if self.has_tests else "script.py")

    @property
    def is_kept(self) -> bool:
        return NAME.match(self.code) is not None

    @property
    def has_tests(self) -> bool:
        return re.search(r"^(async )?def test_", self.code, re.MULTILINE) is not None

    @property
    def fails(self) -> bool:
        return re.search(r"^E ", self.output or "", re.MULTILINE) is not None


def blocks(page: str) -> list[Block]:
    fences = list(FENCED.finditer(page))
    found = []
    for fence, following in itertools.zip_longest(fences, fences[1:]):
        if fence["language"] != "python":
            continue
        output = None
        if following is not None and following["language"] == "text":
            between = page[fence.end() : following.start()]
            output = None if HEADING.search(between) else following["content"]
        before = page[: fence.start()]
        heading = HEADING.findall(FENCED.sub("", before))[-1]
        found.append(Block(heading, before.count("\n") + 1, fence["content"], output))
    return found


PAGES = {page.name: blocks(page.read_text(encoding="utf-8")) for page in (README, *sorted(ROOT.glob("docs/*.md")))}
PAGE = README.read_text(encoding="utf-8")
BLOCKS = PAGES["README.md"]
EVERY_BLOCK = [(name, index) for name, found in PAGES.items() for index in range(len(found))]


@pytest.fixture(autouse=True)
def variables_stay_in_their_block():
    """A block that is run in this process may set variables, as a conftest does."""
    with patch.dict(os.environ):
        yield


def shown(name: str, index: int) -> str:
    block = PAGES[name][index]
    return f"{'' if name == 'README.md' else f'{name}, '}{block.heading}, line {block.line}"


@pytest.mark.parametrize(("page", "index"), EVERY_BLOCK, ids=[shown(*one) for one in EVERY_BLOCK])
def test_a_block_does_what_its_page_says(page, index, pytester, monkeypatch):
    monkeypatch.setenv("QSTASH_TOKEN", "made-up")
    monkeypatch.setenv("COLUMNS", "80")
    pytester.makeini("[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n")
    for earlier in PAGES[page][:index]:
        if earlier.is_kept:
            (pytester.path / earlier.name).write_text(earlier.code, encoding="utf-8")
    block = PAGES[page][index]
    path = pytester.path / block.name
    path.write_text(block.code, encoding="utf-8")

    if not block.has_tests:
        pytester.syspathinsert()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(path), run_name="__main__")
        if block.output is not None:
            assert printed.getvalue() == block.output
        return

    arguments = ("-q", "-s", "-p", "no:cacheprovider", path.name)
    if "django" in block.code:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # importing those of others takes seconds
        plugins = ("-p", "pytest_asyncio.plugin", "-p", "qstash_fake.pytest_plugin")
        result = pytester.runpytest_subprocess(*plugins, *arguments)
    else:
        result = pytester.runpytest_inprocess(*arguments)
    outcomes = result.parseoutcomes()
    assert set(outcomes) - {"warnings"} == {"failed" if block.fails else "passed"}, outcomes
    if block.output is not None:
        assert_shows(result.outlines, block.output.splitlines())


def assert_shows(printed: list[str], wanted: list[str]) -> None:
    """Each run of wanted lines is printed as it stands, and one after the other."""
    position = 0
    lines = [line.rstrip() for line in printed]
    for chunk in "\n".join(wanted).split(f"\n{LEFT_OUT}\n"):
        part = chunk.removeprefix(f"{LEFT_OUT}\n").removesuffix(f"\n{LEFT_OUT}").splitlines()
        starts = [at for at in range(position, len(lines)) if lines[at : at + len(part)] == part]
        assert starts, f"not printed, or not in this order:\n{chunk}\n\nprinted:\n" + "\n".join(lines[position:])
        position = starts[0] + len(part)


def test_the_readme_has_blocks_and_shows_what_many_of_them_print():
    assert len(BLOCKS) >= 8
    assert sum(block.output is not None for block in BLOCKS) >= 8
    assert len(BLOCKS) == len(re.findall(r"^ *```[ \t]*py", PAGE, re.MULTILINE))  # none that is fenced another way


def test_the_readme_shows_how_the_output_of_make_demo_ends(capsys):
    from examples.fastapi_shop import timeline

    timeline.main()
    shown = re.search(r"^`make demo` ends with:\n\n```text\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert capsys.readouterr().out.endswith("\n" + shown[1])


def test_every_public_name_is_on_the_page():
    names = {name for name in dir(QStashFake) if not name.startswith("_")}
    names |= {"now", "next_due", "advance", "advance_to", "advance_to_next", "advance_until"}
    twins = {name for name in names if name.endswith("_async")}  # said once, for all of them
    assert {name for name in names - twins if not re.search(rf"\b{name}\b", PAGE)} == set()
    assert {f"`{option}=`" for option in OPTIONS} - set(re.findall(r"^\| (`\w+=`) \|", PAGE, re.MULTILINE)) == set()
