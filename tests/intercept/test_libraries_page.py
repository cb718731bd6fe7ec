"""The page on client libraries says what the tests have seen: its table is made here.

Cells are run here, or are "yes" by the tables that other tests of this folder run in full: `POSTS` of
`test_late_import.py`, `MOCKS` with `CLIENTS` of `test_matrix.py`.
"""

from pathlib import Path

import pytest

from qstash_fake import QStashFake
from qstash_fake.intercept.libraries import LIBRARIES
from qstash_fake.intercept.libraries import MOCKS as TOLD
from qstash_fake.intercept.mocks import VERSIONS
from tests.intercept.clients import CLIENTS, PUBLISH, STREAMS, Client
from tests.intercept.mocks import MOCKS
from tests.intercept.test_late_import import POSTS

PAGE = Path(__file__).parents[2] / "docs" / "libraries.md"

ROWS = list(STREAMS)
RETRIES = {
    "httpx": "`HTTPTransport(retries=…)`",
    "httpx2": "`HTTPTransport(retries=…)`",
    "requests": "`HTTPAdapter(max_retries=…)`",
    "urllib3": "`Retry`",
    "aiohttp": "a middleware",
}
# Why a cell says nothing else.
NOTES = {
    "no async": "This library has no async client.",
    "no sync": "This library has no sync client.",
    "never late": "The fake itself imports httpx: it is always imported before.",
    "no retries": "This library repeats nothing by itself.",
    "not mocked": "This mock does not mock that library.",
}
TEXT = """\
# Client libraries

While a fake is there, calls to QStash are answered in the process, whichever of these libraries makes them. The fake
stands in for the network: clients, transports, adapters, retries, auth, hooks and instrumentation run as they are.
Only transports without a network answer by themselves, such as `httpx.MockTransport` or an adapter that is a mock.

{table}

{notes}

"Beside" a mock means in either order: the mock may begin before the fake or after it. The mock answers for the other
hosts and sees nothing of QStash. Each shape of client is tested in this way, also with OpenTelemetry's instrumentation.

Packages that use one of these libraries are covered, too: the official SDKs (httpx), botocore (urllib3), all users of
`http.client`. requests uses urllib3. Other callers, such as a subprocess or another language, reach the fake
by the fixture `qstash_server`.

## Mocks

Mocks that stand above the network are told to leave QStash's hosts alone while a fake is there. That works with these
versions; another mock that stands above the network answers first.

{mocks}

## Stray calls

A call that no fake and no mock answers is stopped before it leaves, at the look-up of the name and at the beginning of
TLS, which covers proxies. Out of reach are subprocesses and libraries that open connections themselves: pycurl and
curl_cffi; with aiodns, only TLS is stopped.
"""


@pytest.fixture(scope="module")
def page():
    return TEXT.format(table=table(), notes=notes(), mocks=mocks())


def test_the_page_says_what_the_tests_have_seen(page):
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if before != page:
        PAGE.write_text(page, encoding="utf-8")
    assert before == page, "docs/libraries.md was not up to date and has been written: look at the difference"


def test_every_library_and_every_mock_is_on_the_page():
    by = {"http.client": "urllib.request"}  # how it is known
    assert {by.get(name, name) for name in LIBRARIES} == set(ROWS) - {"requests"}  # which comes by urllib3
    assert set(TOLD) == set(VERSIONS)
    assert {mock.name.split()[0] for mock in MOCKS} == {DISTRIBUTIONS.get(name, name) for name in TOLD}


def table():
    names = list(dict.fromkeys(mock.name.split()[0] for mock in MOCKS))
    heads = ["", "sync", "async", "streamed", "late import", "dropped connection", "own retries"]
    lines = [heads + [f"beside {name}" for name in names]]
    lines.append(["---"] * len(lines[0]))
    lines += [[f"**{library}**", *cells(library), *(beside(library, name) for name in names)] for library in ROWS]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(library):
    sync, asynchronous = find(library, is_async=False), find(library, is_async=True)
    retrying = find(library, "retries", is_async=False) or find(library, "retries", is_async=True)
    return [
        posts(sync) if sync else note("no sync"),
        posts(asynchronous) if asynchronous else note("no async"),
        streams(library),
        "yes" if library in POSTS else note("never late"),
        dropped(sync or asynchronous),
        f"{retries(retrying)}: {RETRIES[library]}" if retrying else note("no retries"),
    ]


def find(library, shape="plain", *, is_async):
    wanted = (library, shape, is_async)
    return next((client for client in CLIENTS if (client.library, client.shape, client.is_async) == wanted), None)


def posts(client: Client):
    with QStashFake() as fake:
        status, _ = client.post(PUBLISH)
        fake.assert_published(json={"order": 7}, times=1)
    return "yes" if status == 201 else f"no: {status}"


def streams(library):
    with QStashFake():
        return "yes" if STREAMS[library](PUBLISH).startswith(b'{"messageId":"msg_') else "no"


def dropped(client: Client):
    with QStashFake() as fake:
        fake.api.drop_connection()
        with pytest.raises(Exception, match="told to drop this connection") as caught:
            client.post(PUBLISH)
    kind = caught.type
    return f"`{kind.__module__.split('.')[0]}.{kind.__name__}`"


def retries(client: Client):
    with QStashFake() as fake:
        fake.api.drop_connection()
        return "yes" if client.post(PUBLISH)[0] == 201 else "no"


def beside(library, name):
    clients = [client for client in CLIENTS if client.library == library]
    mocked = any(mock.name.split()[0] == name and library in mock.libraries for mock in MOCKS)
    return "yes" if mocked and clients else note("not mocked")


def note(why):
    return f"- [{list(NOTES).index(why) + 1}]"


def notes():
    return "\n".join(f"{number}. {text}" for number, text in enumerate(NOTES.values(), start=1))


DISTRIBUTIONS = {"pytest_httpx": "pytest-httpx", "vcr": "vcrpy"}


def mocks():
    lines = [("mock", "versions"), ("---", "---")]
    lines += [(DISTRIBUTIONS.get(name, name), versions) for name, versions in VERSIONS.items()]
    return "\n".join(f"| {name} | {versions} |" for name, versions in lines)
