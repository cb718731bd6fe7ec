"""The account: what lasts. Queues, keys, URL groups, schedules, workflows, signing keys, and what changes them.

Every change of one of them goes through a method here, under the lock. Knows the quotas of a plan; not what becomes of
a message: that is the broker's, which is an account that delivers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from threading import RLock

from qstash_fake.broker import quotas
from qstash_fake.broker.acceptance import Acceptance
from qstash_fake.broker.admission import Admission
from qstash_fake.broker.agenda import Agenda
from qstash_fake.broker.flow_control import FlowControlKey
from qstash_fake.broker.ids import Ids
from qstash_fake.broker.journal import Journal
from qstash_fake.broker.keys import SigningKeys
from qstash_fake.broker.message import Message
from qstash_fake.broker.queues import Queue
from qstash_fake.broker.schedules import Schedule, Schedules
from qstash_fake.broker.store import Store
from qstash_fake.broker.url_groups import Endpoint, UrlGroup, UrlGroups
from qstash_fake.broker.workflow.workflows import Workflows
from qstash_fake.errors import Refused, UsageError
from qstash_fake.protocol.moments import iso, to_datetime
from qstash_fake.protocol.options import Options
from qstash_fake.protocol.publish import PublishRequest

HOME_REGION = "eu-central-1"  # assumed: of an account without a region; the host without one is there


class Account:
    """The state of one account. Times are unix milliseconds; *plan* names one of PLANS, None for no quotas.

    *region* is the only one that knows the account; None for all.
    """

    def __init__(
        self,
        now_ms: int,
        *,
        seed: int,
        plan: str | None,
        region: str | None,
        signing_keys: Callable[[], tuple[str, str]],
    ) -> None:
        self.now_ms = now_ms
        self.region = region
        self.lock = RLock()
        self.ids = Ids(seed)
        self.plan = quotas.named(plan)
        self.agenda = Agenda()
        self.admission = Admission(self.agenda, self.plan.parallelism if self.plan else None)
        self.journal = Journal()
        self.signing_keys = SigningKeys(signing_keys, self.ids.signing_key)
        self.url_groups = UrlGroups(self.plan)
        self.schedules = Schedules(self.agenda, self.journal, self)
        self.store = Store(self.plan.dead_letters_ms if self.plan else None)
        self.acceptance = Acceptance(
            self.plan,
            ids=self.ids,
            admission=self.admission,
            journal=self.journal,
            store=self.store,
            url_groups=self.url_groups,
        )
        self.workflows = Workflows(self)
        self.acceptance.intakes.append(self.workflows)
        self._retired = False

    @property
    def home(self) -> str:
        """The region that deliveries come from."""
        return self.region or HOME_REGION

    def observe(self, now_ms: int) -> None:
        """Note that it is *now_ms*; time never goes back."""
        with self.lock:
            self.now_ms = max(self.now_ms, now_ms)

    def retire(self) -> None:
        """Give the account up after a reset: objects that users still hold can be read, and change nothing any more."""
        with self.lock:
            self._retired = True

    # --- schedules -----------------------------------------------------------------------------------------

    def schedule(self, request: PublishRequest) -> Schedule:
        """Create or replace the schedule that *request*, which has a cron, asks for; its first tick comes later."""
        with self.lock:
            # A schedule is created once; what it produces is never deduplicated.
            options = dataclasses.replace(
                request.options, deduplication_id=None, content_based_deduplication=None, not_before_ms=None
            )
            request = dataclasses.replace(request, options=options)
            self.acceptance.check(request, self.now_ms)
            schedule_id = request.options.schedule_id or self.ids.schedule()
            is_new = schedule_id not in self.schedules.by_id
            if is_new:
                quotas.check_count(self.plan, "maxSchedules", len(self.schedules.by_id) + 1)
            schedule = self.schedules.put(schedule_id, request, self.now_ms)
            what = f"was {'created' if is_new else 'changed'}: {schedule.cron} → {schedule.destination}"
            self._note(schedule_id, f"{what}{_next_tick(schedule)}")
            return schedule

    def pause_schedule(self, schedule_id: str) -> None:
        """Stop the ticks of a schedule, or refuse with 404; ticks that pass are not made up."""
        with self.lock:
            if self.schedules.pause(schedule_id):
                self._note(schedule_id, "was paused")

    def resume_schedule(self, schedule_id: str) -> None:
        """Let a schedule tick again, or refuse with 404."""
        with self.lock:
            if self.schedules.resume(schedule_id, self.now_ms):
                self._note(schedule_id, f"was resumed{_next_tick(self.schedules.find(schedule_id))}")

    def delete_schedule(self, schedule_id: str) -> None:
        """Remove a schedule, or refuse with 404; what it has produced goes on."""
        with self.lock:
            self.schedules.delete(schedule_id)
            self._note(schedule_id, "was deleted")

    def tick(self, schedule: Schedule) -> None:
        """Publish the messages of the tick that falls now."""
        with self.lock:
            self.schedules.tick(schedule, self.trigger, self.now_ms)

    def trigger(self, schedule: Schedule) -> list[Message]:
        """Publish the messages of *schedule* once, now, even while it is paused."""
        with self.lock:
            self.refuse_if_retired(f"schedule {schedule.schedule_id}")
            messages = self.acceptance.publish_tick(schedule.request, schedule.schedule_id, self.now_ms)
            schedule.last_messages = messages
            return messages

    def skip_ticks(self, until_ms: int) -> None:
        """Pass over the schedule ticks up to and including *until_ms*."""
        with self.lock:
            self.schedules.skip(until_ms)

    def _note(self, schedule_id: str, what: str) -> None:
        self.journal.note(self.now_ms, f"schedule {schedule_id} {what}")

    # --- queues, flow control, URL groups, signing keys ----------------------------------------------------

    @property
    def queues(self) -> Mapping[str, Queue]:
        """The queues that exist, by name."""
        return self.admission.queues.existing

    def upsert_queue(self, name: str, *, parallelism: int | None = None, paused: bool | None = None) -> Queue:
        """Change what is given of a queue, or make it: with parallelism 1 and running, where nothing else is given."""
        with self.lock:
            quotas.check_count(self.plan, "maxParallelism", parallelism or 1)
            self.acceptance.check_queues({name})
            queue = self.admission.queues.get_or_make(name, self.now_ms)
            self.admission.queues.change(queue, self.now_ms, parallelism=parallelism, paused=paused)
            return queue

    @property
    def flow_control(self) -> Mapping[str, FlowControlKey]:
        """The flow-control keys, by name."""
        return self.admission.keys.by_name

    def look_up_key(self, name: str) -> FlowControlKey:
        """Return a flow-control key. QStash shows any name; one that nobody has used is idle."""
        return self.admission.keys.look_up(name)

    def find_key(self, name: str) -> FlowControlKey:
        """Return a flow-control key that somebody has named, or refuse with 400 (assumed)."""
        if (key := self.flow_control.get(name)) is None:
            raise Refused(400, f"flow control key {name} not found")
        return key

    def pause_key(self, name: str) -> None:
        """Pause a flow-control key; one that no message has brought yet is made."""
        with self.lock:
            self.admission.keys.get_or_make(name).pause(paused=True)

    def resume_key(self, name: str) -> None:
        """Resume a flow-control key, or refuse with 400."""
        with self.lock:
            self.find_key(name).pause(paused=False)

    def pin(self, name: str, *, parallelism: int | None, rate: int | None, period_ms: int) -> None:
        """Fix what is given of the limits of a flow-control key; one that no message has brought yet is made."""
        with self.lock:
            self.admission.keys.get_or_make(name).pin(parallelism=parallelism, rate=rate, period_ms=period_ms)

    def unpin(self, name: str, *, parallelism: bool, rate: bool) -> None:
        """Let later messages set the limits of a flow-control key again, or refuse with 400."""
        with self.lock:
            self.find_key(name).unpin(parallelism=parallelism, rate=rate)

    def reset_rate(self, name: str) -> None:
        """End the rate window of a flow-control key now, or refuse with 400."""
        with self.lock:
            self.find_key(name).reset_rate()

    def add_endpoints(self, group: str, endpoints: Sequence[Endpoint]) -> UrlGroup:
        """Add *endpoints* to a URL group, made if there is none."""
        with self.lock:
            return self.url_groups.upsert(group, endpoints, self.now_ms)

    def remove_endpoints(self, group: str, endpoints: Sequence[Endpoint]) -> None:
        """Take *endpoints* out of a URL group; one left without any is deleted."""
        with self.lock:
            self.url_groups.remove(group, endpoints, self.now_ms)

    def delete_url_group(self, name: str) -> None:
        """Delete a URL group, if there is one; messages that it has made go on."""
        with self.lock:
            self.url_groups.by_name.pop(name, None)

    def set_group_defaults(self, name: str, defaults: Options) -> None:
        """Lay *defaults* under the options of every publish to a URL group, made if there is none."""
        with self.lock:
            self.url_groups.set_defaults(name, defaults, self.now_ms)

    def rotate_keys(self) -> SigningKeys:
        """Make the next signing key the current one; the one after it is made of the seed."""
        with self.lock:
            self.refuse_if_retired("these signing keys")
            self.signing_keys.rotate()
            return self.signing_keys

    def refuse_if_retired(self, what: str) -> None:
        """Raise UsageError, which names *what*, after a reset."""
        if self._retired:
            raise UsageError(f"{what}: from before reset(), which has forgotten it; take the present one")


def _next_tick(schedule: Schedule) -> str:
    return "" if schedule.next_ms is None else f", next at {iso(to_datetime(schedule.next_ms))}"
