"""A library that is imported while a fake is there is intercepted from its first call on."""

import subprocess
import sys
from importlib import import_module

import pytest

from qstash_fake.intercept.importlib_bootstrap import AfterImport

POSTS = {
    "requests": "requests.post(PUBLISH, headers=BEARER).status_code",
    "urllib3": "urllib3.request('POST', PUBLISH, headers=BEARER).status",
    "httpx2": "httpx2.post(PUBLISH, headers=BEARER).status_code",
    "urllib.request": "urllib.request.urlopen(urllib.request.Request(PUBLISH, b'', BEARER)).status",
    "aiohttp": """asyncio.run(post(aiohttp))""",
}
CODE = """
import asyncio, sys
import httpx
from qstash import QStash
from qstash_fake import QStashFake

PUBLISH = "https://qstash.upstash.io/v2/publish/https://shop.example/late"
BEARER = {{"Authorization": "Bearer t"}}

async def post(aiohttp):
    async with aiohttp.request("POST", PUBLISH, headers=BEARER) as response:
        return response.status

def handler(request):
    if str(request.url).endswith("/job"):
        import {library}
        assert {post} == 201
    return httpx.Response(200)

assert "{library}" not in sys.modules or "{library}" == "urllib.request"
finders = len(sys.meta_path)
with QStashFake() as fake:
    fake.mount(handler)
    QStash("t").message.publish(url="https://shop.example/job")
    fake.drain()
    fake.assert_delivered(url="https://shop.example/late")
assert sys.modules["{library}"].__loader__ is sys.modules["{library}"].__spec__.loader
assert type(sys.modules["{library}"].__loader__).__module__.startswith("_frozen_importlib")
assert not any(type(finder).__module__.startswith("qstash_fake") for finder in sys.meta_path)
"""


@pytest.mark.parametrize("library", POSTS)
def test_a_library_imported_in_a_handler_is_answered(library):
    code = CODE.format(library=library, post=POSTS[library])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mock_imported_while_a_fake_is_there_leaves_its_hosts_alone():
    code = """
import httpx
from qstash import QStash
from qstash_fake import QStashFake

with QStashFake() as fake:
    import respx
    with respx.mock(using="httpx") as mock:
        mock.get("https://api.example/rates").respond(text="rates")
        QStash("t").message.publish(url="https://shop.example/job")
        assert httpx.get("https://api.example/rates").text == "rates"
fake.assert_published(times=1)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- the hook -----------------------------------------------------------------------------------------------------


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Two modules that nobody has imported."""
    for name in ("late_one", "late_two"):
        (tmp_path / f"{name}.py").write_text("value = __loader__.get_source(__name__)", encoding="utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("modules")
def test_what_waits_for_a_module_is_called_once_with_the_loaded_module():
    late_one = import_module("late_one")
    seen = []
    waiting = AfterImport({name: lambda module: seen.append((module.__name__, module.value)) for name in NAMES})
    waiting.start()
    assert seen == [("late_one", "value = __loader__.get_source(__name__)")]
    late_two = import_module("late_two")
    waiting.stop()
    assert [name for name, _ in seen] == ["late_one", "late_two"]
    assert late_two.__loader__ is getattr(late_two.__spec__, "loader", None)
    assert type(late_two.__loader__) is type(late_one.__loader__)


NAMES = ("late_one", "late_two", "late_never")


@pytest.mark.usefixtures("modules")
def test_two_that_wait_for_one_module_are_both_called():
    seen = []
    first = AfterImport({"late_one": lambda _: seen.append(1)})
    second = AfterImport({"late_one": lambda _: seen.append(2)})
    first.start()
    second.start()
    import_module("late_one")
    first.stop()
    second.stop()
    assert sorted(seen) == [1, 2]


def test_a_warning_of_a_module_names_who_imports_it(tmp_path, monkeypatch):
    (tmp_path / "late_warns.py").write_text("import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=2)")
    (tmp_path / "late_importer.py").write_text("import late_warns")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("late_warns", "late_importer"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    waiting = [AfterImport({"late_warns": lambda _: None}) for _ in range(2)]
    for one in waiting:
        one.start()
    with pytest.warns(DeprecationWarning, match="old") as warned:
        import_module("late_importer")
    for one in waiting:
        one.stop()
    assert [warning.filename for warning in warned] == [str(tmp_path / "late_importer.py")]


@pytest.mark.usefixtures("modules")
def test_a_module_that_nobody_finds_is_not_found():
    waiting = AfterImport({"late_never": lambda _: None})
    waiting.start()
    with pytest.raises(ModuleNotFoundError, match="No module named 'late_never'"):
        import_module("late_never")
    waiting.stop()
    assert waiting not in sys.meta_path


def test_it_stops_where_somebody_has_put_the_finders_back(monkeypatch):
    waiting = AfterImport({})
    with monkeypatch.context() as patch:
        patch.setattr(sys, "meta_path", list(sys.meta_path))
        waiting.start()
    waiting.stop()
    assert waiting not in sys.meta_path
