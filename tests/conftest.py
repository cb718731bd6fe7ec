"""Settings that all tests share."""

import os
import ssl

import pytest
from hypothesis import Phase, settings
from qstash import QStash

pytest_plugins = ["pytester"]

# What a developer or a CI sets for other purposes must not fail a test. Tests assert what a user reads at a terminal of
# 80 columns without colors; with CI or BUILD_NUMBER, pytest prints a failure whole in its summary. A client that goes
# through a proxy fails at the proxy, before the guard sees its call. The SDK reads its URL and token.
FROM_OUTSIDE = (
    *("CI", "BUILD_NUMBER", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "PYTHONWARNINGS"),
    *(f"QSTASH_{name}" for name in ("URL", "TOKEN", "CURRENT_SIGNING_KEY", "NEXT_SIGNING_KEY")),
    *("PYTEST_ADDOPTS", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
)


@pytest.hookimpl(trylast=True)  # the report of this run has its colors by then
def pytest_sessionstart():
    """Take variables out of the environment before the first test file is imported."""
    for name in FROM_OUTSIDE:
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)


# Two runs of the suite say the same; `make fuzz` looks for what they do not meet.
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("fuzz", deadline=None, max_examples=3_000, print_blob=True)
# For `make mutants`, where a test runs a thousand times: a failure is enough, its smallest example is not looked for.
settings.register_profile(
    "quick", deadline=None, derandomize=True, database=None, max_examples=30, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True, scope="session")
def no_certificates():
    """Let clients be made without reading certificates, which takes each 20 ms: no test goes to the network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)
        patch.setattr(ssl.SSLContext, "load_default_certs", lambda *_, **__: None)
        yield


@pytest.fixture
def client():
    """The official SDK's client."""
    return QStash("token")


@pytest.fixture
def fake(qstash_fake):
    """The fake, with every destination answering 200."""
    qstash_fake.on("*").respond(200)
    return qstash_fake
