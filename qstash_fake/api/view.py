"""The API as a test holds it: the names that are documented, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qstash_fake.api.answer import Api
from qstash_fake.api.call import Reply
from qstash_fake.api.calls import ApiCall
from qstash_fake.errors import UsageError
from qstash_fake.protocol.attributes import NamesWhatIsMeant
from qstash_fake.protocol.keywords import keywords, made_by_the_fake


class ApiView(NamesWhatIsMeant):
    """QStash's API: what was called, and how it behaves; `qstash_fake.api` is one."""

    __slots__ = ("_api",)

    @made_by_the_fake
    def __init__(self, api: Api) -> None:
        self._api = api

    def answer(self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes) -> Reply:
        """Return the reply to a request for *target*, the raw path and query; the API as a function.

        Raises nothing but ConnectionDropped: an error of ours is a 500 with its traceback in `problems`.
        """
        return self._api.answer(method, target, headers, body)

    @property
    def calls(self) -> list[ApiCall]:
        """The calls, oldest first; refused ones and repetitions too. The newest 10,000 are kept."""
        return self._api.calls.of(self._api.broker)

    @property
    def problems(self) -> list[str]:
        """Calls that were answered 501, and errors of ours. They fail the test at its end, unless it clears them."""
        return self._api.problems

    @property
    def chat_answer(self) -> Mapping[str, Any]:
        """The answer of `POST /llm/v1/chat/completions`, and to messages for `api/llm`."""
        return self._api.chat_answer

    @chat_answer.setter
    def chat_answer(self, answer: Mapping[str, Any]) -> None:
        if not isinstance(answer, Mapping):
            raise UsageError(f"chat_answer cannot be {answer!r}: it is a mapping, the JSON object of the answer")
        self._api.chat_answer = answer

    @keywords(meant={"status": "kind"})
    def fail(self, kind: str | int = "burst", times: int = 1) -> None:
        """Answer the next *times* calls with 429 of *kind*, `burst`, `daily` or `chat`, or with a status.

        A call without a valid token is refused as usual, and spends no fault.
        """
        self._api.faults.fail(kind, times)

    @keywords()
    def drop_connection(self, times: int = 1) -> None:
        """Break the connection of the next *times* calls.

        The SDKs try again, and really sleep between their attempts, 32 seconds in all; to test that without sleeping
        give the client a backoff of no milliseconds: `QStash(token, retry={"retries": 2, "backoff": lambda n: 0})`.
        """
        self._api.faults.drop_connection(times)

    def __repr__(self) -> str:
        count = len(self.calls)
        return f"<qstash_fake.api, {count} call{'s' * (count != 1)}>"
