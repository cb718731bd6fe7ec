"""Pages: they join without gap or overlap, whatever comes and goes, and all together cost what they show."""

from functools import partial

import pytest

from tests.world import instructions

LISTS = {"dlq": "messages", "events": "events", "logs": "logs"}


def pages(qstash, path, query):
    """The items of every page."""
    found, cursor = [], ""
    while True:
        page = qstash.json("GET", f"/v2/{path}?{query}&cursor={cursor}")
        found.append(page[LISTS[path]])
        if (cursor := page.get("cursor", "")) == "":
            return found


@pytest.fixture
def fail(make_qstash):
    """Make an account with that many dead letters; every fourth has the label `rare`, the others `often`."""

    def accounts(count):
        qstash = make_qstash()
        for number in range(count):
            qstash.dead_letter({"Upstash-Label": "often" if number % 4 else "rare"}, str(number).encode())
        return qstash

    return accounts


@pytest.mark.parametrize("order", ["earliestFirst", "latestFirst"])
@pytest.mark.parametrize("label", ["rare", "often", "rare,often"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("path", LISTS)
def test_the_pages_together_are_what_the_filter_finds(fail, path, count, label, order):
    qstash, query = fail(12), f"label={label}&order={order}"
    (whole,) = pages(qstash, path, query)
    found = pages(qstash, path, f"{query}&count={count}")
    assert [item for page in found for item in page] == whole
    assert [len(page) for page in found[:-1]] == [count] * (len(found) - 1)
    assert 0 < len(found[-1]) <= count


@pytest.mark.parametrize(("order", "left"), [("earliestFirst", [5, 6]), ("latestFirst", [4, 1, 0])])
def test_a_page_begins_after_a_dead_letter_that_is_gone(fail, order, left):
    qstash = fail(7)
    ids = [dead["dlqId"] for dead in qstash.json("GET", "/v2/dlq")["messages"]]
    first = qstash.json("GET", f"/v2/dlq?order={order}&count={5 if order == 'earliestFirst' else 2}")
    for number in (2, 3, 4) if order == "earliestFirst" else (5, 3, 2):
        qstash.call("DELETE", f"/v2/dlq/{ids[number]}")
    rest = qstash.json("GET", f"/v2/dlq?order={order}&cursor={first['cursor']}")["messages"]
    assert [ids.index(dead["dlqId"]) for dead in rest] == left


def test_deleting_page_by_page_reaches_every_dead_letter(fail):
    qstash = fail(12)
    deleted = [qstash.json("DELETE", "/v2/dlq?label=often&count=2")["deleted"] for _ in range(5)]
    assert deleted == [2, 2, 2, 2, 1]
    assert len(qstash.broker.dead_letters) == 3


@pytest.mark.parametrize("label", ["rare", "often"])
@pytest.mark.parametrize("order", ["earliestFirst", "latestFirst"])
@pytest.mark.parametrize("path", LISTS)
def test_all_pages_together_cost_in_proportion_to_what_there_is(fail, path, order, label):
    query = f"order={order}&label={label}&count=5"
    small, large = (instructions(partial(pages, fail(count), path, query)) for count in (40, 160))
    assert large < 5 * small  # over everything for each page, it would be 16 times


def test_deleting_all_dead_letters_page_by_page_costs_in_proportion_to_what_there_is(fail):
    def delete_all(qstash):
        while qstash.json("DELETE", "/v2/dlq?count=5")["deleted"]:
            pass

    small, large = (instructions(partial(delete_all, fail(count))) for count in (40, 160))
    assert large < 5 * small
