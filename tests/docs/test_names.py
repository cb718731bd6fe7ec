"""Public names: the documentation has each of them, and mentions none that does not exist."""

import inspect
import re
import subprocess
import sys

import pytest

import qstash_fake
from qstash_fake.plugin import OPTIONS
from qstash_fake.server.operations import OPERATIONS
from tests.docs.pages import NAMES, ROOT, text_of
from tests.testing.test_surface import SURFACE

INNER = ("docs/design.md", "docs/guesses.md", "docs/protocol.md", "docs/recipes.md")  # these name modules
PAGES = [name for name in NAMES if name not in INNER]
NAMES_OF = {kind.__name__: set(names.split()) for kind, names in SURFACE.items()}
# How pages call an object → the class of which it is.
SPOKEN_OF = {
    "qstash_fake": "QStashFake",
    "fake": "QStashFake",
    "clock": "Clock",
    "api": "ApiView",
    "workflows": "Workflows",
    "signing_keys": "SigningKeys",
    "message": "Message",
    "attempt": "Attempt",
    "report": "Report",
    "run": "WorkflowRun",
    "schedule": "Schedule",
    "dead": "DeadLetter",
}
# Modules of the package that pages name.
OTHERS = {"qstash_fake": {"explore", "intercept"}}


def section(page: str, heading: str) -> str:
    return re.split(r"^## ", text_of(page).split(f"\n## {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("kind", NAMES_OF)
def test_the_reference_has_every_name_of_an_object(kind):
    rows = re.findall(r"^\| `(\w+)", section("docs/reference.md", kind), re.MULTILINE)
    assert rows == sorted(NAMES_OF[kind])


def test_the_reference_says_what_help_says():
    differs = []
    for kind in NAMES_OF:
        for name, said in re.findall(r"^\| `(\w+)[^`]*` \| (.*) \|$", section("docs/reference.md", kind), re.MULTILINE):
            member = inspect.getattr_static(getattr(qstash_fake, kind), name, None)
            is_ours = isinstance(member, property) or getattr(member, "__module__", "").startswith("qstash_fake")
            words = " ".join((inspect.getdoc(member) or "").split("\n\n")[0].split())
            if is_ours and re.sub(r"\*(\w+)\*", r"`\1`", words) != said:
                differs.append(f"{kind}.{name}: {words}")
    assert differs == []


def test_the_reference_has_every_export():
    shown = section("docs/reference.md", "Exports")
    others = set(qstash_fake.__all__) - NAMES_OF.keys()
    assert {name for name in others if f"`{name}`" not in shown} == set()
    assert NAMES_OF.keys() <= set(qstash_fake.__all__)


def test_the_site_has_every_object_and_export():
    shown = set(re.findall(r"^\.\. auto\w+:: (?:[a-z_]+\.)*(\w+)$", text_of("docs/site/api.md"), re.MULTILINE))
    assert shown == NAMES_OF.keys() | set(qstash_fake.__all__) | {"explore"}


def test_every_name_of_the_fake_has_a_task():
    tasks = "\n".join(text_of(name) for name in PAGES if name != "docs/reference.md")
    names = set.union(*(NAMES_OF[kind] for kind in ("QStashFake", "Clock", "ApiView", "Route", "SigningKeys")))
    assert {name for name in names if not re.search(rf"\b{name}\b", tasks)} == set()


def test_every_option_has_its_row():
    rows = re.findall(r"^\| `(\w+)=` \|", section("docs/options.md", "The table"), re.MULTILINE)
    assert rows == list(OPTIONS)


def test_the_server_page_has_every_option_and_operation():
    page = text_of("docs/server.md")
    command = [sys.executable, "-m", "qstash_fake", "serve", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {option for option in re.findall(r"--[a-z-]+", shown) if option not in page} == {"--help"}
    assert set(re.findall(r"^\| `(?:POST|GET) ([a-z-]+)`", page, re.MULTILINE)) == set(OPERATIONS)


def test_names_that_pages_mention_exist():
    wrong = [
        (page, f"{spoken}.{name}")
        for page in PAGES
        for spoken, kind in SPOKEN_OF.items()
        for name in re.findall(rf"(?<![\w./-]){spoken}\.(?!md\b)([a-z_]+)\b", text_of(page))
        if name not in NAMES_OF[kind] | OTHERS.get(spoken, set())
    ]
    assert wrong == []


def test_files_that_the_recipes_name_exist():
    for page in ("docs/recipes.md", "docs/design.md"):
        for path in re.findall(r"`([\w./]+/[\w.]*)`", text_of(page)):
            exists = any((folder / path).exists() for folder in (ROOT, ROOT / "qstash_fake"))
            assert exists or path.startswith("build/") or "NAME" in path, f"{page}: {path}"
