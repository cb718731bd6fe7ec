"""A pytest run that does not use the fixture pays nothing for the plugin."""

import subprocess
import sys

import pytest

HEAVY = ("httpx", "starlette", "jwt", "croniter", "freezegun", "time_machine", "anyio", "qstash_fake.testing.fake")


def test_only_a_test_that_uses_the_fixture_imports_what_is_heavy(pytester, monkeypatch):
    pytester.makepyfile("def test_without(): pass\ndef test_with(qstash_fake): pass")
    pytester.makeconftest(f"""
        import sys

        def pytest_runtest_logfinish(nodeid):
            print("\\nHEAVY", [name for name in {HEAVY!r} if name in sys.modules])
    """)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # what other plugins import is not ours
    result = pytester.runpytest_subprocess("-p", "qstash_fake.pytest_plugin", "-s")
    result.assert_outcomes(passed=2)
    without, with_it = [line for line in result.outlines if line.startswith("HEAVY")]
    assert without == "HEAVY []"
    assert "'httpx'" in with_it
    assert "'freezegun'" not in with_it, "no verb was called, so nothing has to be frozen"


def test_the_package_itself_imports_nothing_heavy():
    code = f"import qstash_fake, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_when_it_is_asked_for():
    import qstash_fake

    assert {name for name in qstash_fake.__all__ if not hasattr(qstash_fake, name)} == set()
    assert set(qstash_fake.__all__) <= set(dir(qstash_fake))
    with pytest.raises(AttributeError, match="module 'qstash_fake' has no attribute 'nothing'"):
        _ = qstash_fake.nothing
