"""The lists and mappings of views that a test reads, each made when it is asked for.

They are snapshots: the application may publish from threads meanwhile.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType

from qstash_fake.broker.account_views import FlowControlKey, Queue, Schedule, SigningKeys, UrlGroup
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.journal import Step
from qstash_fake.broker.message import Message as InnerMessage
from qstash_fake.broker.message import State
from qstash_fake.broker.views import Attempt, DeadLetter, LogEntry, Message, attempt_of, view_of
from qstash_fake.protocol.attributes import NamesWhatIsMeant, nearest
from qstash_fake.testing import timeline
from qstash_fake.testing.inside import Inside
from qstash_fake.testing.workflows import Workflows


class Contents(NamesWhatIsMeant):
    """The reading half of a QStashFake."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse what is no attribute: nothing would read it, and the test would go on as if it had an effect.

        A class of the user's that inherits has attributes of its own; it is refused the names of options.
        """
        if not name.startswith("_") and not hasattr(type(self), name):
            ours = next(cls for cls in type(self).__mro__ if cls.__module__.startswith("qstash_fake."))
            if name in inspect.signature(ours).parameters:
                way_out = f"it is an option, @pytest.mark.qstash_fake({name}={value!r}) or QStashFake({name}={value!r})"
                raise AttributeError(f"{name} of {self!r} cannot be set: {way_out}")
            if type(self) is ours:
                raise AttributeError(
                    f"{name} of {self!r} cannot be set: there is no such attribute{nearest(ours, name)}"
                )
        super().__setattr__(name, value)

    @property
    def messages(self) -> list[Message]:
        """Every message, in publish order."""
        return [view_of(Message, message) for message in self._all()]

    @property
    def pending(self) -> list[Message]:
        """The messages that are CREATED, ACTIVE or RETRY."""
        return [view_of(Message, message) for message in self._all() if message.pending]

    @property
    def delivered(self) -> list[Message]:
        """The messages that got a 2xx."""
        return self._in(State.DELIVERED)

    @property
    def failed(self) -> list[Message]:
        """The messages that failed for good, redriven ones too; `dlq` has the entries that are still there."""
        return self._in(State.FAILED)

    @property
    def cancelled(self) -> list[Message]:
        """The messages that were cancelled before they were delivered."""
        return self._in(State.CANCELED)

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt, in start order."""
        with self._broker.lock:
            entries = self._broker.journal.entries()
        return [
            attempt_of(entry.message, entry.attempt)
            for entry in entries
            if entry.state is Step.ACTIVE and entry.attempt
        ]

    @property
    def dlq(self) -> list[DeadLetter]:
        """The dead letter queue, oldest first."""
        self._observe()
        with self._broker.lock:
            return [view_of(DeadLetter, dead) for dead in self._broker.dead_letters.values()]

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """The schedules, by id."""
        with self._broker.lock:
            known = self._broker.schedules.by_id.items()
            return MappingProxyType({schedule_id: view_of(Schedule, schedule) for schedule_id, schedule in known})

    @property
    def queues(self) -> Mapping[str, Queue]:
        """The queues, by name."""
        with self._broker.lock:
            return MappingProxyType({name: view_of(Queue, queue) for name, queue in self._broker.queues.items()})

    @property
    def url_groups(self) -> Mapping[str, UrlGroup]:
        """The URL groups, by name."""
        with self._broker.lock:
            return MappingProxyType({name: UrlGroup(one) for name, one in self._broker.url_groups.by_name.items()})

    @property
    def flow_control(self) -> Mapping[str, FlowControlKey]:
        """The flow-control keys, by key."""
        with self._broker.lock:
            known = self._broker.flow_control.items()
            return MappingProxyType({name: view_of(FlowControlKey, key) for name, key in known})

    @property
    def logs(self) -> list[LogEntry]:
        """The log, oldest first."""
        with self._broker.lock:
            return [LogEntry(entry) for entry in self._broker.journal.entries()]

    @property
    def workflows(self) -> Workflows:
        """The runs of workflows, by id; `notify` and `waiting` are for their events."""
        return Workflows(self._inside)

    @property
    def signing_keys(self) -> SigningKeys:
        """The keys that deliveries are signed with."""
        return SigningKeys(self._broker)

    def timeline(self) -> str:
        """Return the journal as text."""
        return timeline.timeline(self._broker, self._inside.targets.routes)

    @property
    def _broker(self) -> Broker:
        return self._inside.broker

    def _all(self) -> list[InnerMessage]:
        with self._broker.lock:
            return list(self._broker.messages.values())

    def _in(self, state: State) -> list[Message]:
        return [view_of(Message, message) for message in self._all() if message.state is state]

    def _observe(self) -> None:
        self._inside.timekeeper.observe()
