"""What a pytest run costs: with the plugin and without it, with the fixture and with respx's."""

from __future__ import annotations

import importlib
import io
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import redirect_stdout
from pathlib import Path
from time import perf_counter, process_time

import pytest
from measure import Numbers, in_a_fresh_process, in_turns, long_cpu_s, more_s

HEAVY = ("httpx", "starlette", "jwt", "croniter", "freezegun")
TESTS = 60  # of one run

PLAIN = """
import pytest
@pytest.fixture
def plain(): yield
@pytest.mark.parametrize("n", range({tests}))
def test(n, plain): pass
"""
FIXTURE = """
import pytest
@pytest.mark.parametrize("n", range({tests}))
def test(n, {fixture}): pass
"""
PUBLISHED = """
import pytest
from calls import no_op
from qstash import QStash
client = QStash("token")
@pytest.mark.parametrize("n", range({tests}))
def test(n, qstash_fake):
    qstash_fake.mount(no_op)
    client.message.publish_json(url="https://shop.example/jobs", body={{"order": n}}, delay="5m")
    qstash_fake.clock.advance("5m")
    qstash_fake.assert_delivered(url="https://shop.example/jobs", json={{"order": n}})
"""
MOCKED = """
import httpx, json, pytest
from qstash import QStash
client = QStash("token")
@pytest.mark.parametrize("n", range({tests}))
def test(n, respx_mock):
    route = respx_mock.post("https://qstash.upstash.io/v2/publish/https://shop.example/jobs")
    route.respond(201, json={{"messageId": "msg_1"}})
    client.message.publish_json(url="https://shop.example/jobs", body={{"order": n}}, delay="5m")
    assert json.loads(route.calls.last.request.content) == {{"order": n}}
"""
EXPLORED = """
import pytest
from fastapi import FastAPI
from qstash import QStash
client = QStash("token")
app = FastAPI()
@app.post("/jobs")
def job(body: dict): return {{}}
@pytest.fixture
def qstash_app(): return app
@pytest.mark.qstash_fake({options})
def test(qstash_fake):
    for n in range(2):
        client.message.publish_json(url="https://shop.example/jobs", body={{"order": n}}, delay="5m")
    qstash_fake.drain()
    assert len(qstash_fake.delivered) == 2
"""


class Stopwatch:
    """A pytest plugin: the CPU seconds of the tests alone, collection left out; or what *clock* measures."""

    def __init__(self, clock: Callable[[], float] = process_time) -> None:
        self._clock = clock
        self.spent_s = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        start = self._clock()
        result = yield
        self.spent_s = self._clock() - start
        return result


def plugin_unused() -> Numbers:
    """What the first import costs in a process that has run pytest, and what its hooks cost in each run."""
    found = [in_a_fresh_process(plugin_s) for _ in range(3)]
    middle = {name: statistics.median(numbers[name] for numbers in found) for name in found[0]}
    return middle | {"import": min(numbers["import"] for numbers in found)}


def plugin_s() -> Numbers:
    """Return the seconds of importing the plugin and of its hooks in a run, and how many heavy modules came."""
    with tempfile.TemporaryDirectory() as folder:
        test = Path(folder) / "test_it.py"
        test.write_text("def test(): pass\n")
        _run_pytest(test)  # now pytest has imported what it needs itself
        start = process_time()
        plugin = importlib.import_module("qstash_fake.pytest_plugin")
        imported = process_time() - start
        hooks = more_s(
            80,
            without=lambda: long_cpu_s(lambda: _run_pytest(test)),
            more=lambda: long_cpu_s(lambda: _run_pytest(test, plugin)),
        )
        return {"hooks": hooks, "import": imported, "modules": sum(name in sys.modules for name in HEAVY)}


def fixture() -> Numbers:
    return _tests(
        plain=PLAIN,
        fake=FIXTURE.format(tests="{tests}", fixture="qstash_fake"),
        respx=FIXTURE.format(tests="{tests}", fixture="respx_mock"),
    )


def whole_test() -> Numbers:
    return _tests(fake=PUBLISHED, respx=MOCKED)


def exploration() -> Numbers:
    """Return the wall-clock seconds of a FastAPI test that is explored in 100 runs, and of the same test run once."""
    plugin = importlib.import_module("qstash_fake.pytest_plugin")
    with tempfile.TemporaryDirectory() as folder:

        def run(name: str, options: str) -> float:
            test, stopwatch = Path(folder) / f"test_{name}.py", Stopwatch(perf_counter)
            test.write_text(EXPLORED.format(options=options))
            _run_pytest(test, plugin, stopwatch)
            return stopwatch.spent_s

        return in_turns(
            3,
            once=lambda: run("once", "freeze='off'"),
            off=lambda: run("off", "freeze='off', explore=100"),
            machine=lambda: run("machine", "freeze='time-machine', explore=100"),
        )


def _tests(**sources: str) -> Numbers:
    """Return the CPU seconds of one test of each source, all that pytest does for it included."""
    plugins = [importlib.import_module(name) for name in ("qstash_fake.pytest_plugin", "respx.plugin")]
    with tempfile.TemporaryDirectory() as folder:

        def run(name: str) -> float:
            test, stopwatch = Path(folder) / f"test_{name}.py", Stopwatch()
            test.write_text(sources[name].format(tests=TESTS))
            _run_pytest(test, *plugins, stopwatch)
            return stopwatch.spent_s / TESTS

        return in_turns(6, **{name: lambda name=name: run(name) for name in sources})


def _run_pytest(test: Path, *plugins: object) -> None:
    """Run pytest in this process, with *plugins* and its own and no other."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    usual = ["-q", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:warnings", "--import-mode=importlib"]
    with redirect_stdout(io.StringIO()) as printed:
        # A plugin given by name would be looked up in all that is installed.
        ended = pytest.main([*usual, "--rootdir", str(test.parent.parent), str(test)], plugins=list(plugins))
    assert ended == 0, printed.getvalue()
