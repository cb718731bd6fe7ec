"""The parts of a fake: broker, API, delivery and time, wired together. Decides nothing itself.

A test holds a QStashFake, which shows none of this; the server, and tests of our own, come here by `inside(fake)`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from contextlib import ExitStack

import httpx

from qstash_fake.api.answer import Api
from qstash_fake.api.auth import Auth
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.fanout import LLM_URL
from qstash_fake.delivery.drivers import SyncDriver
from qstash_fake.delivery.kinds.functions import Function
from qstash_fake.delivery.mounts import Answerers, Mount
from qstash_fake.delivery.routes import Routes
from qstash_fake.delivery.run import Deliveries
from qstash_fake.engines.table import choose
from qstash_fake.intercept.entered import Entered
from qstash_fake.intercept.hosts import Hosts
from qstash_fake.intercept.libraries import intercepted
from qstash_fake.testing.environment import DEV_TOKEN, holds_key, of_a_fake, signing_keys, variables
from qstash_fake.testing.timekeeper import Timekeeper
from qstash_fake.testing.verbs import Verbs


class Inside:
    """The parts of one fake. *start_ms* is where its clock stands from the start, None if it runs at first."""

    def __init__(
        self,
        *,
        start_ms: int | None,
        freeze: str,
        unrouted: str,
        raise_app_exceptions: bool,
        seed: int,
        token: str | Sequence[str] | None,
        plan: str | None,
        url: str,
        region: str | None,
        watchdog_ms: int,
    ) -> None:
        self._variables = url, token if isinstance(token, str) else next(iter(token or ()), DEV_TOKEN)
        self._new_broker = functools.partial(Broker, seed=seed, plan=plan, region=region, signing_keys=signing_keys)
        broker = self._new_broker(start_ms or 0)
        broker.journal.start_ms = start_ms
        self.tells_timeline = True
        """Whether a failing assertion shows the timeline; not where a plugin puts it into the report."""
        self.targets = Answerers(unrouted, [Mount(Function(self._chat), LLM_URL)])
        self.driver = SyncDriver(watchdog_ms)
        self._entered: Entered | None = None
        self.timekeeper = Timekeeper(broker, choose(freeze), runs=start_ms is None)
        self._deliveries = Deliveries(broker, self.targets, self.timekeeper.show, raise_app_exceptions, holds_key)
        self.verbs = Verbs(self.timekeeper, self._deliveries, self.driver)
        self.api = Api(broker, Auth(token), self.timekeeper.observe)

    @property
    def broker(self) -> Broker:
        """The present broker; a reset puts another in its place."""
        return self.timekeeper.broker

    def know(self, entered: Entered) -> None:
        """Take the test clients from *entered*, which is watched for longer than the life of this fake."""
        self._entered = entered

    def begin(self) -> ExitStack:
        """Set the environment, answer the calls of this process, freeze its time and let the verbs work.

        The stack that is returned ends all of it.
        """
        url, token = self._variables
        hosts = Hosts(os.environ.get("QSTASH_URL"), url)
        with ExitStack() as exits:
            exits.enter_context(variables(of_a_fake(url, token)))
            exits.enter_context(intercepted(self.api, hosts))
            entered = self._entered
            if entered is None:
                entered = Entered()
                entered.start()
                exits.callback(entered.stop)
            self.driver.clients = entered.clients
            exits.enter_context(entered.telling(self.driver.client_enters))
            exits.callback(self.timekeeper.close)
            exits.callback(self.verbs.close)
            exits.callback(self._deliveries.close)
            exits.callback(self.driver.close)  # first of all: an application may publish as it shuts down
            if not self.timekeeper.runs and self.timekeeper.freezes_between_verbs:
                self.timekeeper.stand_still()
            self.verbs.open()
            return exits.pop_all()

    def reset(self) -> None:
        """Put a new broker in the place of the old one, and forget routes and faults; the time goes on."""
        self.verbs.refuse_inside_or_beside("reset", "a handler cannot forget the delivery that it answers")
        self.broker.retire()
        broker, disturbance = self._new_broker(self.timekeeper.observe()), self.broker.disturbance
        broker.journal.start_ms = None if self.timekeeper.runs else broker.now_ms
        if disturbance is not None:
            disturbance.join(broker)
        self.timekeeper.broker = self._deliveries.broker = self.api.broker = broker
        self.targets.routes = Routes()
        self.api.reset()

    def _chat(self, request: httpx.Request) -> httpx.Response:
        """Answer messages to `api/llm`, unless a route or another mount does."""
        return httpx.Response(200, json=dict(self.api.chat_answer), request=request)
