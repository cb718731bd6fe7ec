"""Acceptance: how a publish becomes messages, or is refused.

Quotas, fan-out, deduplication, then one message for each URL, at its gates and on the agenda. Schedules, callbacks
and redrives come the same way. An intake takes the publishes that are more than a message, such as those of a workflow;
the same quotas count for them. Knows what is asked for and what an account may have; not what becomes of a message.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from qstash_fake.broker import quotas
from qstash_fake.broker.admission import Admission
from qstash_fake.broker.deduplication import Deduplication, deduplication_key
from qstash_fake.broker.fanout import Target, fan_out, headers_of, redriven_headers
from qstash_fake.broker.ids import Ids
from qstash_fake.broker.journal import Journal, Step
from qstash_fake.broker.message import Message
from qstash_fake.broker.retries import DEFAULT_RETRIES
from qstash_fake.broker.store import Store
from qstash_fake.broker.url_groups import UrlGroups
from qstash_fake.errors import Refused
from qstash_fake.protocol.http import Headers
from qstash_fake.protocol.options import Options
from qstash_fake.protocol.publish import PublishRequest


class Published(NamedTuple):
    """What one publish made for one URL; *deduplicated*: it repeats an earlier message, and this is its id."""

    message_id: str
    url: str
    deduplicated: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """What a publish made: one item, or one for each endpoint of a URL group."""

    items: Sequence[Published]
    to_group: bool

    @property
    def deduplicated(self) -> bool:
        """Whether it made nothing, because it repeats an earlier one."""
        return all(item.deduplicated for item in self.items)


class Intake(Protocol):
    """What takes some publishes in the place of fan-out and deduplication, and makes their messages."""

    def takes(self, options: Options) -> bool:
        """Tell whether a publish with these *options* is for this intake."""

    def check(self, request: PublishRequest) -> None:
        """Refuse *request* for what it asks; change nothing."""

    def publish(self, request: PublishRequest) -> list[Published]:
        """Make the messages of *request*, or name the messages that it repeats."""

    def publish_again(self, message: Message, overrides: Options) -> Message:
        """Make *message*, which was published through this intake, once more."""


def _lets_in(intake: Intake, request: PublishRequest) -> bool:
    try:
        intake.check(request)
    except Refused:
        return False
    return True


class Acceptance:
    """The way in, for one account; *plan* is None for no quotas. A publish that is refused has changed nothing."""

    def __init__(
        self,
        plan: quotas.Plan | None,
        *,
        ids: Ids,
        admission: Admission,
        journal: Journal,
        store: Store,
        url_groups: UrlGroups,
    ) -> None:
        self.count = 0
        """How many messages there ever were."""
        self.intakes: list[Intake] = []
        """Asked in order; what none of them takes is a plain publish."""
        self._plan = plan
        self._ids = ids
        self._admission = admission
        self._journal = journal
        self._store = store
        self._url_groups = url_groups
        self._deduplication: Deduplication[Published] = Deduplication()
        self._daily = quotas.DailyLimit(plan.messages_per_day if plan else None)

    def check(self, request: PublishRequest, now_ms: int) -> None:
        """Refuse *request* for what it asks; how much was accepted today does not count."""
        self._targets(request, now_ms)

    def check_queues(self, names: Set[str]) -> None:
        """Refuse to have queues called *names* if that makes more than the plan allows."""
        if self._plan is None:
            return
        queues = self._admission.queues.existing.keys()
        if not names <= queues:
            quotas.check_count(self._plan, "maxQueues", len(queues | names))

    def publish(self, request: PublishRequest, now_ms: int) -> Publication:
        """Make the messages of *request*, unless it repeats an earlier one."""
        return self._publish(request, self._targets(request, now_ms), now_ms)

    def publish_all(self, requests: Iterable[PublishRequest], now_ms: int) -> list[Publication]:
        """Publish *requests* in order, or none of them if one is refused or all together exceed a quota."""
        fanned = [(request, self._targets(request, now_ms)) for request in requests]
        self._check_together([target.options for _, targets in fanned for target in targets], now_ms)
        return [self._publish(request, targets, now_ms) for request, targets in fanned]

    def publish_tick(self, request: PublishRequest, schedule_id: str, now_ms: int) -> list[Message]:
        """Make the messages of one firing of a schedule; it is never a repetition."""
        targets = self._targets(request, now_ms)
        self._daily.take(len(targets), now_ms)
        if (intake := self._intake(request.options)) is not None:
            made = intake.publish(request)
            return [self._store.messages[one.message_id] for one in made if not one.deduplicated]
        return self._accept(request, targets, now_ms, schedule_id=schedule_id)

    def publish_callback(self, request: PublishRequest, now_ms: int) -> Message:
        """Make the message of a callback; it counts, but nobody is there to be told of a refusal.

        A callback that its intake refuses, such as one for a run that is not there, is a plain message (assumed).
        """
        self._daily.add(1, now_ms)
        if (intake := self._intake(request.options)) is not None and _lets_in(intake, request):
            (made,) = intake.publish(request)
            return self._store.messages[made.message_id]
        (message,) = self._accept(request, [Target(request.destination.url, request.options)], now_ms)
        return message

    def publish_again(self, messages: Iterable[Message], overrides: Options, now_ms: int) -> list[Message]:
        """Make each of *messages* once more, *overrides* over its options; all, or none if one is refused.

        They are due now and stand last in their queues (assumed).
        """
        again = [
            (message, overrides.over(dataclasses.replace(message.options, delay_ms=None, not_before_ms=None)))
            for message in messages
        ]
        for message, options in again:
            quotas.check_message(self._plan, options, message.body, now_ms)
        self._check_together([options for _, options in again], now_ms)
        self._daily.add(len(again), now_ms)
        return [self._again(message, options, overrides, now_ms) for message, options in again]

    def _targets(self, request: PublishRequest, now_ms: int) -> list[Target]:
        """Return what *request* fans out to, or refuse it."""
        if (intake := self._intake(request.options)) is not None:
            intake.check(request)
        targets = fan_out(request, self._url_groups)
        options = targets[0].options
        quotas.check_message(self._plan, options, request.body, now_ms)
        if options.queue:
            self.check_queues({options.queue})
        return targets

    def _check_together(self, wanted: Sequence[Options], now_ms: int) -> None:
        """Refuse messages with the options *wanted*, each of which is allowed, if all of them exceed a quota."""
        self.check_queues({options.queue for options in wanted if options.queue})
        self._daily.check(len(wanted), now_ms)

    def _intake(self, options: Options) -> Intake | None:
        for intake in self.intakes:
            if intake.takes(options):
                return intake
        return None

    def _publish(self, request: PublishRequest, targets: Sequence[Target], now_ms: int) -> Publication:
        if (intake := self._intake(request.options)) is not None:
            self._daily.take(1, now_ms)
            return Publication(intake.publish(request), to_group=False)
        to_group = bool(request.destination.group)
        key = deduplication_key(request, targets[0].options)
        if key is not None and (earlier := self._deduplication.find(key, now_ms)):
            for item in earlier:
                text = f"a publish to {item.url} is a duplicate of {item.message_id[:10]}… and made no message"
                self._journal.note(now_ms, text, in_vain=True)
            return Publication([item._replace(deduplicated=True) for item in earlier], to_group)
        self._daily.take(len(targets), now_ms)
        items = [Published(m.message_id, m.url) for m in self._accept(request, targets, now_ms)]
        if key is not None:
            self._deduplication.register(key, items, now_ms)
        return Publication(items, to_group)

    def _accept(
        self, request: PublishRequest, targets: Iterable[Target], now_ms: int, *, schedule_id: str | None = None
    ) -> list[Message]:
        return [
            self.create(
                target,
                now_ms,
                body=request.body,
                headers=(request.incoming if target.options.header_forward else ()) + headers_of(target.options),
                caller_ip=request.caller_ip,
                url_group=request.destination.group or None,
                api=request.destination.api or None,
                schedule_id=schedule_id,
            )
            for target in targets
        ]

    def _again(self, message: Message, options: Options, overrides: Options, now_ms: int) -> Message:
        if (intake := self._intake(message.options)) is not None:
            return intake.publish_again(message, overrides)
        return self.create(
            Target(message.url, options, message.endpoint_name),
            now_ms,
            body=message.body,
            headers=redriven_headers(message.stored_headers, overrides),
            caller_ip=message.caller_ip,
            url_group=message.url_group,
            api=message.api,
            schedule_id=message.schedule_id,
        )

    def create(
        self,
        target: Target,
        now_ms: int,
        *,
        body: bytes,
        headers: Headers,
        caller_ip: str,
        url_group: str | None = None,
        api: str | None = None,
        schedule_id: str | None = None,
    ) -> Message:
        """Make one message, at its gates or on the agenda; every reason to refuse it was checked before."""
        options = target.options
        due_ms = quotas.first_due_ms(options, now_ms)
        timeout_ms = options.timeout_ms
        if timeout_ms is None and self._plan is not None:
            timeout_ms = self._plan.timeout_ms
        self.count += 1
        message = Message(
            message_id=self._ids.message(),
            sequence=self.count,
            url=target.url,
            method=options.method or "POST",
            body=body,
            stored_headers=headers,
            options=options,
            created_ms=now_ms,
            due_ms=due_ms,
            not_before_ms=due_ms,
            max_retries=DEFAULT_RETRIES if options.retries is None else options.retries,
            timeout_ms=timeout_ms,
            caller_ip=caller_ip,
            url_group=url_group,
            endpoint_name=target.endpoint_name,
            api=api,
            schedule_id=schedule_id,
            queue=options.queue,
        )
        if options.queue:
            self._admission.queues.get_or_make(options.queue, now_ms).unfinished.add(message)
        if options.flow_control:
            self._admission.keys.get_or_make(options.flow_control.key).limit(options.flow_control, now_ms)
        self._store.messages[message.message_id] = message
        self._journal.log(now_ms, Step.CREATED, message, next_delivery_ms=due_ms if due_ms > now_ms else None)
        self._admission.plan(message, now_ms)
        return message
