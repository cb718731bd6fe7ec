"""The page on applications says what the tests have seen: its table is made here, each cell by a delivery."""

import asyncio
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pytest
from qstash import QStash

from qstash_fake import QStashFake
from qstash_fake.delivery.kinds.table import KINDS, Candidate
from tests.delivery.kinds.specimens import SPECIMENS

PAGE = Path(__file__).parents[3] / "docs" / "applications.md"
SHOP = "https://shop.example/jobs/"
CLIENT = QStash("token")

# Rows that answer nothing, or that a test of its own shows: what it needs is a socket.
NOT_HERE = {
    "a kind of its own",
    "Django's request factory",
    "an httpx client of the network",
    "an httpx client of a live server",
    "a callable of another number of arguments",
}
# Why a cell says nothing else.
NOTES = {
    "async only": "It belongs to the event loop of an async test: use `await qstash_fake.drain_async()`.",
    "swallowed": "The attempt has the status 500 and no exception: its own server runs the handler, out of reach.",
    "none": "It has no lifespan.",
    "nobody": "Nobody starts the application: enter the client, or mount the application itself.",
}
TEXT = """\
# Applications

What `qstash_fake.mount(app, url)` takes, and what comes of it. "Raised": the exception of a handler comes out of the
verb, whatever answer the framework makes of it. "Lifespan": who starts the application for a sync verb; for async
verbs do it yourself, with `async with qstash_fake.lifespan(app)`, or with a client that does.

{table}

{notes}

A live server on this machine can be mounted, too: `httpx.Client(base_url=live_server.url)`. It gets the request at its
own address, with the original host as `X-Forwarded-Host`. A client that has nothing but the network is refused.

An application is started once. While a client of it is entered, the sync verbs deliver on the
client's loop, also if the application itself is mounted. A lifespan that a verb has begun ends when
the client is entered. That holds for the clients of Starlette, FastAPI and Litestar, and for the
`test_app()` of Quart. The sync verbs cannot use the loop of that one: they call its application on
their own, and start nothing. An aiohttp application has one loop in its life: mount a new one for
each test, or its `TestClient`.

A delivery that has not answered after 30 seconds of real time is given up, and so is a startup or a
shutdown that a verb has begun. The exception says where it waits. The option `watchdog=` sets another limit.
It counts for everything that answers on an event loop: applications, entered clients, asynchronous
views of Django. Code that blocks its thread, such as a WSGI application, cannot be given up: that is what
pytest-timeout is for.

What an application answers is checked as a server would check it. A status that is no number from 100 to 599, a header
that is no text, a body that is no bytes, an ASGI event out of order: each is a failed attempt with the status 500 and
an exception that says what is wrong. 50 MiB are read of an answer.
"""


@pytest.fixture
def page(django_site):
    return TEXT.format(table=table(), notes=notes())


def test_the_page_says_what_the_tests_have_seen(page):
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if before != page:
        PAGE.write_text(page, encoding="utf-8")
    assert before == page, "docs/applications.md was not up to date and has been written: look at the difference"


def test_every_kind_is_on_the_page():
    assert {specimen.kind for specimen in SPECIMENS} | NOT_HERE == {row.name for row in KINDS}


def test_every_specimen_is_of_its_kind(django_site):
    for specimen in SPECIMENS:
        assert specimen.kind == asyncio.run(kind(specimen))


async def kind(specimen):
    async with opened(specimen, specimen.make([])) as app:
        return next(row.name for row in KINDS if row.told(Candidate(app)))


def table():
    heads = ["", "sync verb", "async verb", "exception raised", "lifespan", "streamed answer"]
    lines = [heads, ["---"] * len(heads), *([f"**{specimen.name}**", *cells(specimen)] for specimen in SPECIMENS)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(specimen):
    failing = deliver(specimen, "fails")
    assert failing.status == 500
    return [
        note("async only") if specimen.asynchronous else yes(200 <= deliver(specimen, "echo").status < 300),
        yes(200 <= asyncio.run(deliver_async(specimen, "echo")).status < 300),
        "yes" if isinstance(failing.exception, LookupError) else note("swallowed"),
        lifespan(specimen),
        yes(deliver(specimen, "streams").body == b"ab"),
    ]


def lifespan(specimen):
    events: list[str] = []
    deliver(specimen, "echo", events)
    assert events == ([] if specimen.lifespan in (None, "nobody") else ["starts"])
    return note(specimen.lifespan or "none") if specimen.lifespan in (None, "nobody") else specimen.lifespan


def deliver(specimen, name, events=None):
    if specimen.asynchronous:
        return asyncio.run(deliver_async(specimen, name, events))
    app = specimen.make([] if events is None else events)
    with fake() as qstash_fake, app if specimen.lifespan == "the client" else nullcontext():
        qstash_fake.mount(app)
        publish(name)
        qstash_fake.drain()
        return qstash_fake.attempts[0]


async def deliver_async(specimen, name, events=None):
    with fake() as qstash_fake:
        async with opened(specimen, specimen.make([] if events is None else events)) as app:
            qstash_fake.mount(app)
            publish(name)
            await qstash_fake.drain_async()
            return qstash_fake.attempts[0]


@asynccontextmanager
async def opened(specimen, app):
    if specimen.lifespan != "the client":
        yield app
    elif specimen.asynchronous:
        async with app:
            yield app
    else:
        with app:
            yield app


def fake():
    return QStashFake(freeze="off", raise_app_exceptions=False)


def publish(name):
    CLIENT.message.publish(url=SHOP + name, retries=0)


def yes(truth):
    return "yes" if truth else "no"


def note(why):
    return f"- [{list(NOTES).index(why) + 1}]"


def notes():
    return "\n".join(f"{number}. {text}" for number, text in enumerate(NOTES.values(), start=1))
