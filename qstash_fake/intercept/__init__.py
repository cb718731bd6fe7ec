"""Interception: calls that HTTP clients make to QStash are answered by the fake.

Every pytest run imports this package for its guard. Hence nothing heavy is imported here.
"""

# Test clients that run the lifespan of their application: module → class, the methods that start and end the lifespan,
# and the attribute that leads to its loop, None if requests go to the application itself.
CLIENTS = {
    "starlette.testclient": ("TestClient", "__enter__", "__exit__", "portal"),  # FastAPI's, too
    "litestar.testing.client.sync_client": ("TestClient", "__enter__", "__exit__", "blocking_portal"),
    "litestar.testing.client.async_client": ("AsyncTestClient", "__aenter__", "__aexit__", "blocking_portal"),
    "quart.testing.app": ("TestApp", "startup", "shutdown", None),  # on the loop of the test
}
