"""A suite that says all its types is accepted by mypy as its users run it: strict, and without our settings."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

MISTAKES = """
from qstash_fake import Message, QStashFake

def test(qstash_fake: QStashFake) -> None:
    wrong: Message = qstash_fake.clock.advance(minutes=5)
    qstash_fake.assert_published(lable="a")
"""


def test_mypy_accepts_a_typed_suite_and_finds_mistakes_in_another(tmp_path):
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    # Errors in our own files would not be told of an installed package. The cache saves six seconds.
    options = ["--strict", "--config-file=", "--follow-imports=silent", "--no-error-summary"]
    options.append(f"--cache-dir={ROOT / '.mypy_cache' / 'of_a_user'}")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(ROOT / "examples/typed/test_typed.py"), "mistakes.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stdout.splitlines() if " error: " in line] == [
        (
            "mistakes.py:5: error: Incompatible types in assignment "
            '(expression has type "Report", variable has type "Message")  [assignment]'
        ),
        (
            'mistakes.py:6: error: Unexpected keyword argument "lable" for "assert_published" of "QStashFake"; '
            'did you mean "label"?  [call-arg]'
        ),
    ], done.stderr
