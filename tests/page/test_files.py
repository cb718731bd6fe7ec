"""The files of the page: all that they name is there, nothing comes from elsewhere, and they join to one script."""

from __future__ import annotations

import re

import pytest

from qstash_fake.page.files import HEADERS, INDEX, MAIN, STATIC, STYLES, files, script

OWN = {name: text for name, text in files().items() if not name.startswith("vendor/")}
IMPORT = re.compile(r'^import \{([^}]+)\} from "\./([\w./-]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?:async )?(?:function|const|class) (\w+)", re.MULTILINE)
VENDORED = "vendor/htm-preact.js"


def names_of(listed: str) -> set[str]:
    return {name.strip() for name in listed.split(",") if name.strip()}


def exports_of(name: str) -> set[str]:
    if name != VENDORED:
        return set(EXPORT.findall(files()[name]))
    listed = re.findall(r"export\{([^}]+)\}", files()[name])[-1]
    return {pair.split(" as ")[1] for pair in listed.split(",")}


def test_the_page_loads_its_style_and_its_script_and_nothing_else():
    assert re.findall(r'(?:src|href)="([^"]+)"', files()[INDEX]) == [
        "data:,",
        *(f"static/{name}" for name in STYLES),
        f"static/{MAIN}",
    ]
    assert set(STYLES) == {name for name in files() if name.endswith(".css")}


@pytest.mark.parametrize("name", [name for name in OWN if name.endswith(".js")])
def test_a_module_imports_what_another_exports_and_uses_it(name):
    source = OWN[name]
    assert len(re.findall(r"^import ", source, re.MULTILINE)) == len(IMPORT.findall(source))
    for listed, other in IMPORT.findall(source):
        assert names_of(listed) <= exports_of(other)
        assert all(len(re.findall(rf"\b{one}\b", source)) > 1 for one in names_of(listed)), listed


@pytest.mark.parametrize("name", OWN)
def test_no_file_asks_another_host_for_anything_or_makes_html_of_text(name):
    without_examples = re.sub(r"https?://(shop\.example|127\.0\.0\.1:3000|…)", "", OWN[name])
    assert not re.search(r"https?://\w|@import|url\((?!#)", without_examples)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|localStorage", OWN[name]
    )


def test_the_joined_script_has_every_module_once_and_can_stand_in_a_page():
    joined = script()
    modules = [name for name in files() if name.endswith(".js")]
    assert all(joined.count(f"modules['{name}'] = ") == 1 for name in modules)
    assert not re.search(r"^(import|export) ", joined, re.MULTILINE)
    assert not re.search(r"</script|<!--", joined, re.IGNORECASE)
    for name in modules:  # what is imported stands before
        for _, other in IMPORT.findall(files()[name]):
            assert joined.index(f"modules['{other}'] = ") < joined.index(f"modules['{name}'] = ")


def test_the_policy_lets_in_nothing_but_what_the_server_itself_sends():
    policy = dict(part.split(" ", 1) for part in HEADERS["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert "unsafe" not in HEADERS["content-security-policy"]
    assert HEADERS["x-content-type-options"] == "nosniff"


def test_what_is_vendored_comes_with_its_licences():
    licences = {path.name: path.read_text(encoding="utf-8") for path in (STATIC / "vendor").glob("LICENSE.*")}
    assert "Apache License" in licences["LICENSE.htm"]
    assert "The MIT License" in licences["LICENSE.preact"]
