"""The page with its data inside: one file that needs no server and no network, and the index of several.

Nothing of the data is HTML or a script. It stands in a block of JSON in which `<`, `>` and `&` are escaped: no text can
end the block. The policy of the file lets nothing run but the one script, known by its hash, and lets nothing load.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from qstash_fake.page.files import INDEX, files, script, style

Json = dict[str, Any]

MARK = "<!-- a report of qstash_fake -->"  # tells our files from others in the same folder
_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_WHY = re.compile(r'<meta name="description" content="([^"]*)">')
_INDEX_BODY = '<body class="index">'
_ROW = re.compile(r'<li><a href="([^"]*)">(.*?)</a>(?:<small>(.*?)</small>)?</li>', re.DOTALL)  # of an index
_ESCAPED = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


class Saved(NamedTuple):
    """A report in a folder, and why its test has failed, in a line."""

    name: str
    title: str
    why: str = ""


def page(data: Json, title: str, why: str = "") -> str:
    """Return the page that shows *data*, a picture with the details of its messages, as one file.

    *why* is for the index: why the test has failed, in a line.
    """
    code = script()
    inside = f'<script type="application/json" id="data">{json.dumps(data).translate(_ESCAPED)}</script>'
    body = re.search(r"<body>.*</body>", files()[INDEX], re.DOTALL)
    assert body is not None
    return _document(
        title,
        f"script-src {_hash(code)}; ",
        body[0].replace("</body>", f"{inside}\n<script>{code}</script>\n</body>"),
        why,
    )


def index(saved: Iterable[Saved]) -> str:
    """Return the page that leads to the reports of a folder."""
    rows = [
        f'<li><a href="{html.escape(one.name, quote=True)}">{html.escape(one.title)}</a>{_small(one.why)}</li>'
        for one in sorted(saved, key=lambda one: one.title)
    ]
    count = f"{len(rows)} failing test{'s' * (len(rows) != 1)}"
    body = f"{_INDEX_BODY}<main><h1>{count}</h1><ul>{''.join(rows)}</ul></main></body>"
    return _document("qstash_fake reports", "", body)


def saved_in(folder: Path) -> list[Saved]:
    """Return the reports of *folder*, the index left out."""
    heads = ((path, _head(path)) for path in sorted(folder.glob("*.html")) if path.name != INDEX and path.is_file())
    return [
        Saved(path.name, _found(_TITLE, head) or path.name, _found(_WHY, head)) for path, head in heads if MARK in head
    ]


def named_in(path: Path) -> list[Saved]:
    """Return the reports that *path*, an index, leads to; empty if it is none."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if _INDEX_BODY not in text:
        return []
    return [Saved(*map(html.unescape, row)) for row in _ROW.findall(text)]


def is_ours(path: Path) -> bool:
    """Tell whether *path* is a report or an index of this package."""
    return path.is_file() and MARK in _head(path)


def data_of(path: Path) -> Json:
    """Return the data of a saved report; ValueError says that *path* is none."""
    found = _DATA.search(path.read_text(encoding="utf-8", errors="replace"))
    if found is None:
        raise ValueError(f"{path} is no report of qstash_fake: --qstash-fake-report and save_report() make them")
    data: Json = json.loads(found[1])
    return data


def _head(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as opened:
        return opened.read(4096)


def _found(what: re.Pattern[str], head: str) -> str:
    return html.unescape(found[1]) if (found := what.search(head)) else ""


def _small(text: str) -> str:
    return f"<small>{html.escape(text)}</small>" if text else ""


def _document(title: str, allowed: str, body: str, why: str = "") -> str:
    allowed += f"style-src {_hash(style())}; img-src data:"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            "<!doctype html>",
            MARK,
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            f"<title>{html.escape(title)}</title>",
            *([f'<meta name="description" content="{html.escape(why, quote=True)}">'] if why else []),
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">',
            f"<style>{style()}</style></head>",
            body,
            "</html>",
            "",
        ]
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
