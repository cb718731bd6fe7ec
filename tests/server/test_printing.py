"""Lines for people: written in order, and nobody waits for whoever does not read them."""

import os
from contextlib import closing

import pytest

from qstash_fake.server import printing
from qstash_fake.server.printing import Printer


@pytest.fixture
def pipe():
    """The two ends of a pipe, the first as a file of text."""
    reading, writing = os.pipe()
    with closing(os.fdopen(reading, encoding="utf-8")) as reader:
        yield reader, writing
        os.close(writing)


def test_lines_are_written_in_order(pipe):
    reader, writing = pipe
    printer = Printer(writing, "utf-8")
    with printer.running():
        printer.say("one")
        printer.say("zwei …")
    assert [reader.readline() for _ in range(2)] == ["one\n", "zwei …\n"]


def test_what_the_output_cannot_show_is_escaped(pipe):
    reader, writing = pipe
    printer = Printer(writing, "ascii")
    with printer.running():
        printer.say("POST https://shop.example/…")
    assert reader.readline() == "POST https://shop.example/\\u2026\n"


def test_lines_beyond_a_limit_are_left_out_and_counted(pipe, monkeypatch):
    monkeypatch.setattr(printing, "MAX_WAITING", 2)
    reader, writing = pipe
    printer = Printer(writing, "utf-8")
    for line in ("1", "2", "3", "4"):
        printer.say(line)
    with printer.running():
        assert [reader.readline() for _ in range(2)] == ["1\n", "2\n"]
        printer.say("5")
        assert reader.readline() == "(2 lines are left out here: nobody read them)\n"
        assert reader.readline() == "5\n"


def test_a_line_that_nobody_reads_holds_up_nothing(pipe, monkeypatch):
    monkeypatch.setattr(printing, "LAST_S", 0.0)
    reader, writing = pipe
    printer = Printer(writing, "utf-8")
    with printer.running():
        printer.say("x" * 1_000_000)  # more than a pipe holds, so its write lasts until it is read
        printer.say("more")
    assert [reader.readline(), reader.readline()] == [f"{'x' * 1_000_000}\n", "more\n"]


def test_a_reader_that_goes_away_is_no_error(pipe):
    reader, writing = pipe
    printer = Printer(writing, "utf-8")
    reader.close()
    with printer.running():
        printer.say("one")
        printer.say("two")
