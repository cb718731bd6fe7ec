"""What a failing assertion says besides what it looked for: calls that made no message, and what is still to come."""

from __future__ import annotations

from collections.abc import Sequence

from qstash_fake.broker.journal import Note
from qstash_fake.broker.message import Message
from qstash_fake.testing.inside import Inside
from qstash_fake.testing.outlook import outlook
from qstash_fake.testing.signatures import advice, signed_for
from qstash_fake.testing.timeline import timeline
from qstash_fake.testing.uncommitted import uncommitted

MAX_SHOWN = 5  # of each kind of thing that a failure shows


class Background:
    """What a failing assertion can say of its fake."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    def published(self) -> Sequence[Message]:
        """Return all messages."""
        with self._inside.broker.lock:
            return list(self._inside.broker.messages.values())

    def in_vain(self) -> list[str]:
        """Return the lines on calls that made no message: refused ones, and repetitions of an earlier publish."""
        with self._inside.broker.lock:
            texts = [note.text for note in self._inside.broker.journal if isinstance(note, Note) and note.in_vain]
        if not texts:
            return []
        lines = [f"{len(texts)} call{'s' * (len(texts) > 1)} made no message:"]
        lines += [f"  … {len(texts) - MAX_SHOWN} before"] if len(texts) > MAX_SHOWN else []
        return lines + [f"  {text}" for text in texts[-MAX_SHOWN:]]

    def missing(self) -> list[str]:
        """Return the lines on possible reasons why something is not there."""
        return [*self.in_vain(), *uncommitted(), *self._inside.verbs.calls.forgotten()]

    def signature(self, message: Message) -> list[str]:
        """Return the line on what *message* was signed for, if its handler has answered 401."""
        if (attempt := message.last_attempt) is None:
            return []
        signed = signed_for(message, attempt, self._inside.targets.routes)
        return [f"the delivery was signed for {signed}: {advice(attempt)}"] if signed else []

    def outlook(self) -> str:
        """Return a sentence on what is still to come."""
        return outlook(self._inside.timekeeper)

    def failure(self, lines: Sequence[str]) -> AssertionError:
        """Return the failure of an assertion that says *lines*, with the timeline where nobody else shows it."""
        if self._inside.tells_timeline:
            lines = [*lines, "--- qstash_fake timeline ---", timeline(self._inside.broker, self._inside.targets.routes)]
        return AssertionError("\n".join(lines))
