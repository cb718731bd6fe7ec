"""The files of the page, the headers that they are served with, and the modules among them as one script.

The files are ES modules that a browser loads as they are. A saved report is one file, and modules cannot stand in
one file together; `script` joins them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

STATIC = Path(__file__).with_name("static")
INDEX = "index.html"
MAIN = "main.js"
STYLES = ("page.css", "lanes.css")  # in the order of the page
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
NOTHING_FROM_ELSEWHERE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": NOTHING_FROM_ELSEWHERE,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}

# How the modules are written: an import is a separate statement that renames nothing, an export stands at its
# declaration. The one vendored file, which imports nothing, ends with a list of exports.
_IMPORT = re.compile(r'^import \{([^}]+)\} from "\./([\w./-]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)
_EXPORTS = re.compile(r"export\{([^}]+)\};?\s*\Z")


@cache
def files() -> dict[str, str]:
    """Return the files that are served below `static/`, by name, and the page itself as `INDEX`."""
    return {
        path.relative_to(STATIC).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(STATIC.rglob("*"))
        if path.suffix in TYPES
    }


@cache
def style() -> str:
    """Return the styles as one."""
    return "\n".join(files()[name] for name in STYLES)


@cache
def script() -> str:
    """Return the modules as one classic script.

    Each module becomes a function that is called once, after the modules that it imports. The function returns what the
    module exports. Names of one module therefore cannot meet names of another.
    """
    parts = [f"modules[{name!r}] = (() => {{\n{_body(files()[name])}\n}})();" for name in _in_order(MAIN, [])]
    return "\n".join(['"use strict";', "const modules = {};", *parts])


def _in_order(name: str, seen: list[str]) -> Iterator[str]:
    seen.append(name)
    for _, imported in _IMPORT.findall(files()[name]):
        if imported not in seen:
            yield from _in_order(imported, seen)
    yield name


def _body(source: str) -> str:
    """Return *source* as the body of a function."""
    exported = {name: name for name in _EXPORT.findall(source)}
    if listed := _EXPORTS.search(source):
        pairs = (pair.split(" as ") for pair in listed[1].split(","))
        exported = {pair[-1].strip(): pair[0].strip() for pair in pairs}
    source = _IMPORT.sub(lambda found: f"const {{{found[1]}}} = modules[{found[2]!r}];", source)
    source = _EXPORTS.sub("", _EXPORT.sub("", source))
    names = ", ".join(f"{name}: {inner}" for name, inner in exported.items())
    return f"{source}\nreturn {{ {names} }};"
