"""The pages of the documentation as data: headings with their anchors, links, and fenced blocks with their outputs.

Knows Markdown as far as these pages use it, and no more. Runs nothing.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")))

_FENCED = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]+) -->\n\n?)?```(?P<language>\w*)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL
)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_CODE_SPAN = re.compile(r"`[^`\n]+`")
_FILE = re.compile(r"(?:#|//) (\S+\.\w+)\n")
_INSTALL = re.compile(r"(?:pip|npm|go|apt-get) (?:install|get) ")


@dataclass(frozen=True)
class Block:
    """A fenced block, and what its page says that it prints."""

    page: str
    heading: str
    line: int
    language: str
    code: str
    not_run: str | None
    output: str | None

    @property
    def where(self) -> str:
        """Where it stands, as a reader of a failure looks for it."""
        return f"{self.page}, line {self.line}, {self.heading!r}"

    @property
    def file(self) -> str | None:
        """The file that its first line names."""
        named = _FILE.match(self.code)
        return named[1] if named else None

    @property
    def has_tests(self) -> bool:
        """Whether it is Python for pytest."""
        return re.search(r"^ *(async )?def test_", self.code, re.MULTILINE) is not None

    @property
    def is_a_module(self) -> bool:
        """Whether it is Python that blocks below it import, `conftest.py` included."""
        return self.language == "python" and self.file is not None and not self.has_tests

    @property
    def is_an_install(self) -> bool:
        """Whether each of its lines installs something."""
        return all(_INSTALL.match(line) for line in self.code.splitlines())

    @property
    def shows_a_failure(self) -> bool:
        """Whether its output has lines of an error, `E …` or `FAILED …`."""
        return re.search(r"^(E|FAILED) ", self.output or "", re.MULTILINE) is not None


def text_of(page: str) -> str:
    """Return the Markdown of *page*, a path from the root of the checkout."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    """Return its blocks in order. A `text` or `json` block before the next heading is the output of the one before."""
    text = text_of(page)
    fences = list(_FENCED.finditer(text))
    found = []
    for fence, following in itertools.zip_longest(fences, fences[1:]):
        output = None
        if following is not None and following["language"] in ("text", "json") and fence["language"] != "text":
            between = text[fence.end() : following.start()]
            output = None if _HEADING.search(between) else following["content"]
        before = text[: fence.start()]
        headings = _HEADING.findall(_FENCED.sub("", before))
        mark = fence["mark"] or ""
        found.append(
            Block(
                page=page,
                heading=headings[-1] if headings else "",
                line=before.count("\n") + 1,
                language=fence["language"],
                code=fence["content"],
                not_run=mark.removeprefix("not run: ") if mark.startswith("not run: ") else None,
                output=output,
            )
        )
    return found


def prose_of(page: str) -> str:
    """Return *page* without its fenced blocks."""
    return _FENCED.sub("", text_of(page))


def links_of(page: str) -> list[str]:
    """Return the targets of its links and pictures, in order."""
    return [link["target"] for link in _LINK.finditer(_CODE_SPAN.sub("", prose_of(page)))]


def anchors_of(page: str) -> set[str]:
    """Return the anchors of its headings, made as GitHub and MyST make them."""
    anchors: set[str] = set()
    for heading in _HEADING.findall(prose_of(page)):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        same = itertools.chain([slug], (f"{slug}-{number}" for number in itertools.count(1)))
        anchors.add(next(one for one in same if one not in anchors))
    return anchors
