"""Print what becomes of one message whose destination is down, from publish to dead letter. No pytest here."""

import os

os.environ["QSTASH_TOKEN"] = "made-up"  # the shop reads it at import; nothing leaves the process

from fastapi.testclient import TestClient

from examples.fastapi_shop.shop import PUBLIC_URL, app
from qstash_fake import QStashFake


def main() -> None:
    with QStashFake(start="2026-01-01T00:00:00Z") as fake:
        fake.mount(app, PUBLIC_URL)
        fake.on(f"{PUBLIC_URL}/jobs/invoice").respond(503)
        TestClient(app).post("/orders", json={"id": 7})
        fake.drain()
        fake.assert_dead_lettered(status=503)
        print(fake.timeline())


if __name__ == "__main__":
    main()
