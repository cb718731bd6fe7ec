"""Scripts in JavaScript beside the official TypeScript SDKs; a test is skipped where these cannot be installed."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

from tests.server.waits import WITHIN_S

SCRIPTS = Path(__file__).parents[1] / "js"
INSTALLERS = {
    "node": ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--fetch-retries=0"],
    "bun": ["bun", "install", "--no-save"],
}
RUNTIME = next((name for name in INSTALLERS if shutil.which(name) and shutil.which(INSTALLERS[name][0])), None)


class Run(Protocol):
    """Runs *script* with *environment*, beside *files* by name; returns what it printed, at the end its status."""

    def __call__(
        self, script: str, environment: Mapping[str, str], files: Mapping[str, str] | None = None
    ) -> list[str]: ...


def runner_in(folder: Path) -> Run:
    """Install the SDKs in *folder*; return what runs a script there and gives its lines, the last its exit status."""
    if RUNTIME is None:
        pytest.skip("neither node nor bun is installed")
    shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    try:
        installed = subprocess.run(
            INSTALLERS[RUNTIME], check=False, cwd=folder, capture_output=True, text=True, timeout=WITHIN_S
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the TypeScript SDKs cannot be installed: no answer within 60 s")
    if installed.returncode:
        pytest.skip(f"the TypeScript SDKs cannot be installed: {installed.stderr.strip().splitlines()[:1]}")

    def run_script(script: str, environment: Mapping[str, str], files: Mapping[str, str] | None = None) -> list[str]:
        for name, content in (files or {}).items():
            (folder / name).write_text(content, encoding="utf-8")
        own = {"PATH": os.environ["PATH"], "UPSTASH_DISABLE_TELEMETRY": "1"}
        done = subprocess.run(
            [RUNTIME, script],
            check=False,
            cwd=folder,
            env=own | dict(environment),
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )
        if done.returncode:
            print(done.stderr)  # noqa: T201 - what pytest shows of a script that fails
        return [*done.stdout.splitlines(), f"exit status {done.returncode}"]

    return run_script
