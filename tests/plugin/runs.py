"""What files of tests that are run by tests begin with, and how their report is read."""

from importlib import import_module

import pytest

# Pytester forgets after each run what a run has imported; what all of them need is imported once, here.
MODULES = (
    "qstash",
    "qstash_fake.testing.fake",
    "freezegun",
    "time_machine",
    "pydantic.v1",
    "asyncio",
    "jwt",
    "yaml",
    "vcr",
    "httpcore2",
)
for module in MODULES:
    import_module(module)

PUBLISH = """
import contextlib
import httpx, pytest
from qstash import QStash
JOBS = "https://shop.example/jobs"

def publish(**options):
    return QStash("a-token").message.publish_json(url=JOBS, body={"order": 7}, **options)

def call(path):
    return httpx.post("https://qstash.upstash.io" + path, headers={"Authorization": "Bearer a-token"})
"""


def report_of(result, heading):
    """The lines of one section of the report, blank ones left out."""
    lines = iter(result.outlines)
    for line in lines:
        if heading in line:
            break
    else:
        pytest.fail(f"no section {heading!r} in:\n" + "\n".join(result.outlines))
    section = []
    for line in lines:
        if line.startswith(("=====", "____")):
            break
        if line.strip():
            section.append(line)
    return section
