"""What QStash may do to a delivery before it starts, and to the answer of a publish. Exploration asks for it.

The broker asks a `Disturbance` at the points where the service is free to act otherwise. It decides nothing about them
itself. Without a disturbance nothing of this happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from qstash_fake.broker.message import Message

if TYPE_CHECKING:
    from qstash_fake.broker.broker import Broker


class Disturbance(Protocol):
    """What bends the deliveries of one account. Every method is called under the account's lock."""

    def join(self, broker: Broker) -> None:
        """Bend the deliveries of *broker* from now on."""

    def admit(self, message: Message) -> Message | None:
        """Return the message that starts now: *message*, which is next, or another. None: it was put off, look again.

        What is returned may still not start; the next call has to give the same answer until it does.
        """

    def doubles(self, message: Message) -> bool:
        """Note that an attempt of *message* starts; tell whether it is sent twice, and its first answer is lost."""

    def loses_answer(self, accepted_before: int) -> bool:
        """Tell whether a call that made the messages after the first *accepted_before* loses its answer."""
