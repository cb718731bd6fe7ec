"""The site of the documentation: the pages as they stand in the repository, and a reference out of the docstrings.

Sphinx reads from the root of the checkout, so a link between pages is the same here and where a forge shows the files.
The pages have no directives: the contents come from the README's table "Read on".
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]

project = "qstash_fake"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "README"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/*.md",
    "docs/site/api.md",
    "examples/*/README.md",
]
exclude_patterns = [".*", "build", "dist", "tests", "qstash_fake", "benchmarks", "conformance"]
html_theme = "furo"
html_title = "qstash_fake"
html_extra_path = ["index.html"]  # leads to the README
html_copy_source = False
html_show_copyright = False
myst_heading_anchors = 4  # anchors as forges make them

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"

_LINK = re.compile(r"\[[^\]]+\]\((?!https:)([^)#]+\.md)\)")


def contents(readme: str) -> str:
    """Return the contents of the site: a part for each row of the table "Read on", the API reference behind it."""
    rows = re.findall(r"^\| (?!you want|---)([^|]+) \| (.+) \|$", readme.split("\n## Read on\n")[1], re.MULTILINE)
    examples = ("examples", readme.split("\n## Read on\n")[1].split("\n\n")[-2])
    parts = [(caption, _LINK.findall(pages)) for caption, pages in [*rows, examples]]
    trees = [
        "\n".join(["```{toctree}", ":hidden:", f":caption: {caption[0].upper()}{caption[1:]}", "", *pages, "```"])
        for caption, pages in parts
    ]
    return "\n\n".join(trees).replace("docs/reference.md", "docs/reference.md\ndocs/site/api.md")


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the contents at the end of the README."""
    if name == root_doc:
        source[0] += "\n" + contents(source[0])


def setup(app: Sphinx) -> None:
    """Hook in, as Sphinx asks."""
    app.connect("source-read", add_contents)
