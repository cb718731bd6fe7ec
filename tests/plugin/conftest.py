"""Runs of pytest in this process, as a user's suite would be one."""

import socket

import pytest

from qstash_fake.testing.environment import VARIABLES
from tests.plugin.runs import PUBLISH

# pytest 8.2 does not rewrite the plugins of an editable installation, such as that of a checkout, and warns of it.
NOT_REWRITTEN = ("-W", "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning")


@pytest.fixture
def run(pytester, monkeypatch):
    """Run one file of tests in this process, with our plugin and no other but those that are named."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("PYTEST_ADDOPTS", *VARIABLES):
        monkeypatch.delenv(name, raising=False)

    def run_file(test, *args, **files):
        pytester.makepyfile(test_it=PUBLISH + test, **files)
        plugins = ("-p", "qstash_fake.pytest_plugin", "-p", "no:cacheprovider")
        return pytester.runpytest_inprocess(*plugins, *args, *NOT_REWRITTEN)

    return run_file


@pytest.fixture
def looked_up(monkeypatch):
    """The names that the process has looked up; none is found."""
    names = []

    def getaddrinfo(host, *args, **kwargs):
        names.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names
