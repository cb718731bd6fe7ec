"""A pytest run that does not use the fixture pays nothing for the plugin."""

import subprocess
import sys

import pytest

HEAVY = ("httpx", "starlette", "jwt", "croniter", "freezegun", "time_machine", "anyio", "qstash_fake.fake")
# What other installed plugins import; ours is all that stays.
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@pytest.fixture
def heavy_after(pytester, monkeypatch):
    """Run one test with the plugin and return which heavy modules the process had at its end."""

    def run(test):
        pytester.makepyfile(test)
        pytester.makeconftest(f"""
            import sys

            def pytest_unconfigure():
                print("HEAVY", [name for name in {HEAVY!r} if name in sys.modules])
        """)
        for name, value in ALONE.items():
            monkeypatch.setenv(name, value)
        result = pytester.runpytest_subprocess("-p", "qstash_fake.pytest_plugin", "-s")
        result.assert_outcomes(passed=1)
        return next(line for line in result.outlines if line.startswith("HEAVY"))

    return run


def test_a_run_that_does_not_use_the_fixture_imports_nothing_heavy(heavy_after):
    assert heavy_after("def test_it(): pass") == "HEAVY []"


def test_a_run_that_uses_the_fixture_imports_what_it_needs(heavy_after):
    line = heavy_after("def test_it(qstash_fake): pass")
    assert "'httpx'" in line
    assert "'freezegun'" not in line, "no verb was called, so nothing has to be frozen"


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
