"""The store of runs: which are remembered, and for how long. Changes no state of a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

from qstash_fake.broker.arrivals import Arrivals
from qstash_fake.broker.workflow.runs import Run

MAX_ENDED = 5_000  # ended runs that are kept; with four steps each, their messages are as many as MAX_DONE


class RunStore:
    """Runs in the order of their starts, and the newest of each id.

    An ended run is forgotten when there are too many, in the order in which they ended. One that still has a dead
    letter, or a message in flight, goes to the end of that order instead.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, Run] = {}
        """The newest run of each id, in the order of the starts."""
        self._arrivals: Arrivals[Run] = Arrivals()
        self._numbers: dict[Run, int] = {}
        self._started = 0
        self._ended: deque[Run] = deque()

    def __iter__(self) -> Iterator[Run]:
        return self._arrivals.after(None)

    def __len__(self) -> int:
        return len(self._arrivals)

    def add(self, run: Run) -> None:
        """Remember *run*, the newest of its id."""
        self.by_id.pop(run.run_id, None)
        self.by_id[run.run_id] = run
        self._arrivals.add(self._started, run)
        self._numbers[run] = self._started
        self._started += 1

    def number(self, run: Run) -> int:
        """Return how many runs had started before *run*, which is remembered."""
        return self._numbers[run]

    def beyond(self, number: int | None, *, latest_first: bool) -> Iterator[Run]:
        """Yield the runs that come after *number* in this order, None: all of them; costs what is taken."""
        return self._arrivals.before(number) if latest_first else self._arrivals.after(number)

    def ended(self, run: Run, dead_letters: Collection[str]) -> None:
        """Note that *run* has ended; *dead_letters* has the ids of the dead letters that are there."""
        self._ended.append(run)
        for _ in range(min(2, len(self._ended) - MAX_ENDED)):  # two for one: those at the end have a turn too
            oldest = self._ended.popleft()
            if oldest.pending or (oldest.failed is not None and oldest.failed.dlq_id in dead_letters):
                self._ended.append(oldest)
            else:
                self._forget(oldest)

    def _forget(self, run: Run) -> None:
        self._arrivals.remove(self._numbers.pop(run))
        if self.by_id[run.run_id] is run:
            del self.by_id[run.run_id]
