"""The official TypeScript SDK against the server; skipped where neither node nor bun is, or npm has no network."""

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.server.waits import WITHIN_S

SCRIPTS = Path(__file__).parents[1] / "js"
INSTALLERS = {
    "node": ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--fetch-retries=0"],
    "bun": ["bun", "install", "--no-save"],
}
RUNTIME = next((name for name in INSTALLERS if shutil.which(name) and shutil.which(INSTALLERS[name][0])), None)

pytestmark = pytest.mark.skipif(RUNTIME is None, reason="neither node nor bun is installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a script beside an installed SDK and return what it printed, with its exit status as the last line."""
    folder = tmp_path_factory.mktemp("js")
    shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    assert RUNTIME is not None
    try:
        installed = subprocess.run(
            INSTALLERS[RUNTIME], check=False, cwd=folder, capture_output=True, text=True, timeout=WITHIN_S
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the TypeScript SDK cannot be installed: no answer within 60 s")
    if installed.returncode:
        pytest.skip(f"the TypeScript SDK cannot be installed: {installed.stderr.strip().splitlines()[:1]}")

    def run_script(script: str, environment: dict[str, str]) -> list[str]:
        own = {"PATH": os.environ["PATH"], "UPSTASH_DISABLE_TELEMETRY": "1"}
        command = [RUNTIME, script]
        done = subprocess.run(
            command, check=False, cwd=folder, env=own | environment, capture_output=True, text=True, timeout=WITHIN_S
        )
        return [*done.stdout.splitlines(), f"exit status {done.returncode}"]

    return run_script


def test_it_publishes_schedules_queues_lists_cancels_and_verifies(run, still):
    assert run("sdk.js", still.environment) == [
        "the SDK publishes, and its Receiver verifies what is delivered",
        "the SDK lists the log",
        "the SDK publishes once for one deduplication id, and for one content",
        "the SDK publishes batches",
        "the SDK keeps schedules",
        "the SDK keeps queues in order",
        "the SDK cancels one, some, by filter and all",
        "the SDK reads, redrives and deletes dead letters",
        "the SDK controls the flow",
        "the SDK keeps URL groups",
        "the SDK tells its errors apart",
        "exit status 0",
    ]


def test_its_dev_mode_finds_the_server(run, server):
    printed = run("dev.js", {"QSTASH_DEV": "true", "QSTASH_DEV_PORT": str(urlsplit(server.url).port)})
    assert f"Server already running at {server.url}" in printed[0]
    assert printed[-2:] == ["found, published, delivered, verified", "exit status 0"]
