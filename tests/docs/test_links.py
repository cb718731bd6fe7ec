"""Links between pages lead somewhere: to a file, and to a heading in it; and to every page leads one."""

import re

import pytest

from tests.docs.pages import NAMES, ROOT, anchors_of, links_of, text_of

PAGES = [*NAMES, "CHANGELOG.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("examples/*/README.md"))]


def target_of(page: str, link: str) -> tuple[str, str]:
    """Return the file that *link* of *page* leads to, from the root of the checkout, and the anchor in it."""
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    return str(target.resolve().relative_to(ROOT)), anchor


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_somewhere(page):
    for link in links_of(page):
        if link.startswith("https://"):
            continue
        file, anchor = target_of(page, link)
        assert (ROOT / file).is_file(), f"{link}: no such file"  # a folder is no page of the site
        assert not anchor or anchor in anchors_of(file), f"{link}: no such heading among {sorted(anchors_of(file))}"


def test_every_page_can_be_reached_from_the_readme():
    reached, ahead = set(), ["README.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached and page.endswith(".md"):
            reached.add(page)
            ahead += [target_of(page, link)[0] for link in links_of(page) if not link.startswith("https://")]
    assert set(PAGES) - reached == set()


def test_pages_are_short_enough_to_be_read():
    assert len(text_of("README.md").splitlines()) <= 250
    tables = {"docs/protocol.md", "docs/guesses.md", "docs/reference.md"}
    assert {name for name in NAMES if len(text_of(name).splitlines()) > 350} - tables == set()


def test_headings_name_one_thing_each():
    for name in NAMES:
        assert not [anchor for anchor in anchors_of(name) if re.search(r"-\d$", anchor)], name
