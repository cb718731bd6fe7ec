"""The commands of the README's section "As a server" are run, in its order, and print what the page says.

A `sh` block that begins with `qstash-fake serve` starts the server of the blocks below; one that begins with `pip` is
only read. The output on the page is that of the last command of the block before. Ids and times may differ.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qstash_fake.server.operations import OPERATIONS
from tests.server.waits import WITHIN_S

README = Path(__file__).parents[2] / "README.md"
FENCED = re.compile(r"^```(sh|text|json|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHANGING = re.compile(r"msg_\w+|\d{4}-\d\d-\d\dT[\d:.]+Z|127\.0\.0\.1:\d+|in \d+ms")


def section() -> str:
    page = README.read_text(encoding="utf-8")
    return page.split("\n## As a server\n")[1].split("\n## ")[0]


def alike(text: str) -> str:
    """Return *text* without what differs from run to run: ids, times, the port."""
    return CHANGING.sub("…", text).strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_of_the_section_do_what_it_says(serving):
    blocks = FENCED.findall(section())
    outputs = [block[1] if block[0] in ("text", "json") else None for block in [*blocks[1:], ("", "")]]
    commands = [(code, output) for (kind, code), output in zip(blocks, outputs, strict=True) if kind == "sh"]
    (install, _), (serve, welcome), *rest = commands
    assert install == 'pip install "qstash-fake[server]"\n'
    assert serve.startswith("qstash-fake serve ")
    with serving(*shlex.split(serve)[2:]) as running:
        assert alike("\n".join(running.lines)) == alike(welcome or "")
        environment = {"PATH": os.environ["PATH"], **running.environment}
        for code, output in rest:
            script = 'curl() { command curl --silent --show-error --fail "$@" && printf "\\036"; }\n' + code
            done = subprocess.run(
                ["bash", "-euc", script], env=environment, capture_output=True, text=True, timeout=WITHIN_S, check=False
            )
            assert done.returncode == 0, f"{code}\n{done.stderr}"
            printed = done.stdout.split("\036")[-2]
            if output is not None and output.startswith("{"):
                assert alike(json.dumps(json.loads(printed))) == alike(json.dumps(json.loads(output)))
            elif output is not None:
                assert alike(printed) == alike(output)
        assert len(rest) == 3


def test_the_tables_have_every_option_and_operation():
    command = [sys.executable, "-m", "qstash_fake", "serve", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {option for option in re.findall(r"--[a-z-]+", shown) if option not in section()} == {"--help"}
    assert set(re.findall(r"^\| `(?:POST|GET) ([a-z-]+)`", section(), re.MULTILINE)) == set(OPERATIONS)
