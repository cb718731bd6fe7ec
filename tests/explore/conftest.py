"""Runs of pytest in this process, as those of the plugin's tests."""

from tests.plugin.conftest import run

__all__ = ["run"]
