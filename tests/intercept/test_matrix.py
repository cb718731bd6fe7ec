"""Every shape of client, beside every mock of its library, in either order, with and without instrumentation."""

from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib import URLLibInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from qstash_fake import QStashFake
from tests.intercept.clients import CLIENTS, PUBLISH
from tests.intercept.mocks import MOCKS, OTHER, RATES
from tests.shop import JOBS

PAIRS = [(client, mock) for client in CLIENTS for mock in MOCKS if client.library in mock.libraries]


INSTRUMENTORS: dict[str, Any] = {
    "httpx": HTTPXClientInstrumentor,
    "requests": RequestsInstrumentor,
    "urllib3": URLLib3Instrumentor,
    "urllib.request": URLLibInstrumentor,
    "aiohttp": AioHttpClientInstrumentor,
}
TRACED = [(client, mock) for client, mock in PAIRS if client.library in INSTRUMENTORS]


@contextmanager
def instrumented(library):
    """Trace the calls of *library* as OpenTelemetry does, and give the URLs of the spans."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = INSTRUMENTORS[library]()
    instrumentor.instrument(tracer_provider=provider)
    try:
        yield lambda: [(span.attributes or {})["http.url"] for span in exporter.get_finished_spans()]
    finally:
        instrumentor.uninstrument()


def publish_and_ask_for_rates(fake, client, calls):
    if client.shape == "retries":
        fake.api.drop_connection()
    status, _ = client.post(PUBLISH)
    assert status == 201
    assert client.post(OTHER) == (200, RATES)
    assert calls() == [OTHER]
    fake.assert_published(url=JOBS, json={"order": 7}, times=1)


@pytest.mark.parametrize(("client", "mock"), PAIRS, ids=str)
class TestBeside:
    def test_a_mock_that_began_before(self, request, client, mock):
        with mock.started(request) as calls, QStashFake() as fake:
            publish_and_ask_for_rates(fake, client, calls)

    def test_a_mock_that_began_after(self, request, client, mock):
        with QStashFake() as fake, mock.started(request) as calls:
            publish_and_ask_for_rates(fake, client, calls)


@pytest.mark.parametrize("order", ["fake mock trace", "mock fake trace", "trace fake mock", "trace mock fake"])
@pytest.mark.parametrize(("client", "mock"), TRACED, ids=str)
def test_a_mock_beside_instrumentation(request, client, mock, order):
    contexts = {
        "fake": QStashFake,
        "mock": lambda: mock.started(request),
        "trace": lambda: instrumented(client.library),
    }
    with ExitStack() as stack:
        entered = {name: stack.enter_context(contexts[name]()) for name in order.split()}
        publish_and_ask_for_rates(entered["fake"], client, entered["mock"])
        # vcrpy sends over what it found when it was imported, and so past a trace that began before the cassette.
        if mock.name != "vcrpy" or order.endswith("trace"):
            assert PUBLISH in entered["trace"]()
