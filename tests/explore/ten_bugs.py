"""Ten small applications with a bug that only a second, a late or a swapped delivery shows, each with its mended twin.

An application is made anew for each run. It answers requests, and its test says what has to hold at the end. *mended*
tells whether it is the twin.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
from qstash import QStash
from upstash_workflow import WorkflowContext, serve
from upstash_workflow.workflow_types import _SyncRequest

from qstash_fake import QStashFake
from tests.shop import SHOP
from tests.workflows import marks

CLIENT = QStash("a-token")


class Application:
    """An application and its test; every path is a method that is given the JSON of a request."""

    def __init__(self, fake: QStashFake, *, mended: bool) -> None:
        self.fake = fake
        self.mended = mended
        fake.mount(self.answer, SHOP)

    def answer(self, request: httpx.Request) -> httpx.Response:
        getattr(self, request.url.path.strip("/"))(json.loads(request.content))
        return httpx.Response(200)

    def publish(self, path: str, body: Any, **options: Any) -> None:
        CLIENT.message.publish_json(url=f"{SHOP}/{path}", body=body, **options)

    def test(self) -> None:
        """Use the application, let everything be delivered, and assert what has to hold."""
        raise NotImplementedError


class DoubleCharge(Application):
    """Charges whenever it is asked to; mended, once an order."""

    def test(self) -> None:
        self.charged: list[int] = []
        self.publish("charge", 7, delay="1m")
        self.publish("charge", 8, delay="2m")
        self.fake.drain()
        assert sorted(self.charged) == [7, 8], "a customer pays once an order"

    def charge(self, order: int) -> None:
        if not (self.mended and order in self.charged):
            self.charged.append(order)


class CounterInsteadOfSet(Application):
    """Counts visits and knows the last visitor alone; mended, it knows all of them."""

    def test(self) -> None:
        self.visits, self.visitors = 0, [""]
        for visitor in ("ada", "bob"):
            self.publish("visit", visitor)
        self.fake.drain()
        assert self.visits == 2, "a visitor counts once"

    def visit(self, visitor: str) -> None:
        known = self.visitors if self.mended else self.visitors[-1:]
        if visitor not in known:
            self.visits += 1
            self.visitors.append(visitor)


class OrderAssumed(Application):
    """Knows what it has had, and takes what comes last for the newest; mended, it looks at the version."""

    def test(self) -> None:
        self.state, self.versions = "new", [0]
        for version, state in enumerate(("paid", "shipped"), start=1):
            self.publish("became", [version, state])
        self.fake.drain()
        assert self.state == "shipped"

    def became(self, news: tuple[int, str]) -> None:
        version, state = news
        is_news = version > max(self.versions) if self.mended else version not in self.versions
        self.versions.append(version)
        if is_news:
            self.state = state


class CallbackOverwrites(Application):
    """A callback sets the state, final or not; mended, a refund stays a refund."""

    def test(self) -> None:
        self.state = "new"
        self.publish("invoice", 7, callback=f"{SHOP}/invoiced")
        self.publish("refund", 7, delay="10m")
        self.fake.drain()
        assert self.state == "refunded", "a refund is final"

    def invoice(self, order: int) -> None:
        pass

    def invoiced(self, report: object) -> None:
        if not (self.mended and self.state == "refunded"):
            self.state = "invoiced"

    def refund(self, order: int) -> None:
        self.state = "refunded"


class LostUpdate(Application):
    """Reads a balance in one message and writes it in the next; mended, the second adds what the first was told."""

    def test(self) -> None:
        self.balance, self.deposits = 0, dict[str, int]()
        self.publish("deposit", {"id": "a", "amount": 10})
        self.publish("deposit", {"id": "b", "amount": 5}, delay="10m")
        self.fake.drain()
        assert self.balance == 15, "no deposit is lost"

    def deposit(self, deposit: dict[str, Any]) -> None:
        if deposit["id"] not in self.deposits:
            self.deposits[deposit["id"]] = deposit["amount"]
            self.publish("write", {"balance": self.balance + deposit["amount"]})

    def write(self, written: dict[str, int]) -> None:
        self.balance = sum(self.deposits.values()) if self.mended else written["balance"]


class MailBeforeCommit(Application):
    """Sends a mail, then inserts a row whose key is unique; mended, the other way round."""

    def test(self) -> None:
        self.rows, self.mails = set[int](), list[int]()
        self.publish("confirm", 7)
        self.fake.drain()
        assert (self.rows, self.mails) == ({7}, [7]), "a customer gets one mail"

    def confirm(self, order: int) -> None:
        is_new = order not in self.rows
        if is_new or not self.mended:
            self.mails.append(order)
        if is_new:
            self.rows.add(order)


class DeduplicationByBody(Application):
    """Takes a body that it has just seen for a repetition; mended, it looks at the id of the message."""

    def test(self) -> None:
        self.brewed, self.seen = list[str](), list[object](["nothing"])
        for drink in ("tea", "coffee", "tea"):
            self.publish("brew", drink)
        self.fake.drain()
        assert sorted(self.brewed) == ["coffee", "tea", "tea"], "everybody gets what was ordered"

    def answer(self, request: httpx.Request) -> httpx.Response:
        key: object = request.headers["Upstash-Message-Id"] if self.mended else request.content
        if key not in (self.seen if self.mended else self.seen[-1:]):
            self.brewed.append(json.loads(request.content))
        self.seen.append(key)
        return httpx.Response(200)


class FailureTakenForSuccess(Application):
    """Takes any report on an attempt for a success; mended, it reads the status in it."""

    def test(self) -> None:
        self.parcels, self.announced = 0, list[int]()
        self.publish("pack", 7, callback=f"{SHOP}/packed")
        self.fake.drain()
        assert self.announced
        assert 0 not in self.announced, "what is announced has been packed"

    def pack(self, order: int) -> None:
        self.parcels = 1

    def packed(self, report: dict[str, Any]) -> None:
        if not self.mended or 200 <= report["status"] < 300:
            self.announced.append(self.parcels)


class TickHandledTwice(Application):
    """Pays interest at each delivery of a schedule; mended, once a message."""

    def test(self) -> None:
        self.paid, self.seen = 0, set[str]()
        CLIENT.schedule.create(destination=f"{SHOP}/interest", cron="0 0 * * *")
        self.fake.clock.advance("2d")
        self.fake.drain()
        assert self.paid == 2, "interest is paid once a day"

    def answer(self, request: httpx.Request) -> httpx.Response:
        message_id = request.headers["Upstash-Message-Id"]
        if not (self.mended and message_id in self.seen):
            self.paid += 1
        self.seen.add(message_id)
        return httpx.Response(200)


class SideEffectOutsideRun(Application):
    """A workflow that sends a mail after its last step; mended, in a step, by the id of the run."""

    def test(self) -> None:
        self.mails: list[str] = []
        headers = [("Authorization", "Bearer a-token"), *marks("wfr_1", init=True).items()]  # one run, whatever happens
        self.fake.api.answer("POST", f"/v2/publish/{SHOP}/trial", headers, b"{}")
        self.fake.drain()
        assert len(self.mails) == 1, "who has tried gets one mail"

    def answer(self, request: httpx.Request) -> httpx.Response:
        asked = _SyncRequest(
            body=request.content.decode(), headers=request.headers, method=request.method, url=str(request.url)
        )
        answer = serve(self.flow, qstash_client=CLIENT)["handler"](asked)
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)

    def flow(self, context: WorkflowContext) -> None:
        context.run("greet", lambda: "hello")
        if self.mended:
            context.run("mail", lambda: self.mail(context.workflow_run_id))
        else:
            self.mails.append(context.workflow_run_id)

    def mail(self, run_id: str) -> None:
        if run_id not in self.mails:
            self.mails.append(run_id)


# Each with the smallest plan that breaks it, and how many runs it takes to find that, the plain one included.
TEN: tuple[tuple[type[Application], str, int], ...] = (
    (DoubleCharge, "twice@/charge#1.1", 2),
    (CounterInsteadOfSet, "lost@/visit#1.1", 4),
    (OrderAssumed, "swap@/became#1.1", 6),
    (CallbackOverwrites, "late1h@/invoice#1.1", 11),
    (LostUpdate, "late1h@/write#1.1", 15),
    (MailBeforeCommit, "twice@/confirm#1.1", 2),
    (DeduplicationByBody, "lost@/brew#2.1", 6),
    (FailureTakenForSuccess, "down@/pack#1.1", 6),
    (TickHandledTwice, "twice@/interest#1.1", 2),
    (SideEffectOutsideRun, "twice@/trial#2.1", 3),
)


def scenario(application: type[Application], *, mended: bool) -> Callable[[QStashFake], None]:
    """Return what `explore` runs."""
    return lambda fake: application(fake, mended=mended).test()
