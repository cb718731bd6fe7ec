"""Every Python, shell and console block of the README and of docs/ is run, and prints what its page says it prints.

`running.py` says how. What is not run stands here, with its reason.
"""

import contextlib
import os
import re
from unittest.mock import patch

import pytest

from tests.docs.pages import NAMES, blocks_of, text_of
from tests.docs.running import Reader

RUN = ("python", "sh")
NOT_RUN = [
    ("docs/django.md", "tests/plugin/test_django.py runs a whole project with these settings"),
    ("docs/server.md", "vitest is not installed for the suite; tests/js/ drives the SDK with Node's own runner"),
    ("docs/server.md", "needs the test above"),
    ("docs/server.md", "there may be no Go; the requests of its SDK are tested over HTTP"),
    ("docs/start.md", "each is a whole test run"),
]
ONLY_SHOWN = ("text", "json", "js", "ts", "go", "toml", "ini", "yaml")  # outputs, settings, other languages
PAGES = [name for name in NAMES if any(block.language in RUN for block in blocks_of(name))]


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_do_what_it_says(page, pytester, monkeypatch):
    with patch.dict(os.environ), contextlib.ExitStack() as stack:  # a block may set variables, as a conftest does
        monkeypatch.setenv("QSTASH_TOKEN", "made-up")
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)  # of another suite in this process
        pytester.syspathinsert()
        Reader(pytester, stack).follow(page)


def test_what_is_not_run_is_known_with_its_reason():
    assert [(block.page, block.not_run) for name in NAMES for block in blocks_of(name) if block.not_run] == NOT_RUN


def test_no_block_escapes():
    for name in NAMES:
        found = blocks_of(name)
        assert {block.language for block in found} <= {*RUN, *ONLY_SHOWN}, name
        assert len(re.findall(r"^ *(?:```|~~~)", text_of(name), re.MULTILINE)) == 2 * len(found), name


def test_every_module_of_a_page_is_imported_by_a_block_below_it():
    for name in NAMES:
        found = [block for block in blocks_of(name) if not block.not_run]
        for index, block in enumerate(found):
            if block.is_a_module and block.file != "conftest.py":
                stem = str(block.file).removesuffix(".py")
                assert any(stem in later.code for later in found[index + 1 :]), block.where


def test_the_first_steps_show_how_the_output_of_make_demo_ends(capsys):
    from examples.fastapi_shop import timeline

    timeline.main()
    shown = text_of("docs/start.md").split("`make demo` ends with:\n\n```text\n")[1].split("```")[0]
    assert capsys.readouterr().out.endswith("\n" + shown)


def test_no_page_has_marks_of_a_conflict():
    assert [name for name in NAMES if re.search(r"^(<{7}|>{7}) ", text_of(name), re.MULTILINE)] == []
