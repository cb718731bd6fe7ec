"""Lines for people on standard output, written by a thread: a reader that stops reading holds up nothing.

A test that starts the server with a pipe often reads the first lines only. Once a pipe is full, a write to it lasts
until somebody reads, and a server that waits for that answers nobody and cannot be stopped.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MAX_WAITING = 10_000  # lines that wait for a reader; more are left out, and counted
LAST_S = 1.0  # the time that a reader has to take the last lines


class Printer:
    """Writes lines to the file descriptor *output*, in order, as fast as they are read."""

    def __init__(self, output: int, encoding: str) -> None:
        self._output = output
        self._encoding = encoding
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._left_out = 0
        # A daemon that uses no buffer of Python's: the process can end while a write lasts.
        self._thread = threading.Thread(target=self._write, name="qstash-fake lines", daemon=True)

    def say(self, line: str) -> None:
        """Hand *line* to the writing thread; does not wait."""
        if self._waiting.qsize() >= MAX_WAITING:
            self._left_out += 1
            return
        if self._left_out:
            self._waiting.put(f"({self._left_out} lines are left out here: nobody read them)")
            self._left_out = 0
        self._waiting.put(line)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write in this context; at its end a reader has `LAST_S` seconds to take what is left."""
        self._thread.start()
        try:
            yield
        finally:
            self._waiting.put(None)
            self._thread.join(LAST_S)

    def _write(self) -> None:
        with suppress(OSError):  # the reader has gone; the server serves on
            while (line := self._waiting.get()) is not None:
                rest = f"{line}{os.linesep}".encode(self._encoding, "backslashreplace")
                while rest:
                    rest = rest[os.write(self._output, rest) :]
