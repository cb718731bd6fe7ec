"""Every exception that is raised on purpose."""

from __future__ import annotations


class QStashFakeError(Exception):
    """Base of the errors that tell a test what it did wrong."""


class UsageError(QStashFakeError):
    """The fake was used in a way that cannot work; the text says what to do instead."""


class UnroutedDestination(UsageError):  # noqa: N818 - named for what it is, like LookupError's family
    """A delivery fell due for a URL that no route and no mount answers; the message stays pending."""


class DrainLimitReached(UsageError):  # noqa: N818 - see above
    """A `drain()` has created more messages than its limit, or another verb too many at one instant."""


class Refused(QStashFakeError):  # noqa: N818 - an answer of the API, not a failure of ours
    """A request that QStash refuses, with the HTTP *status*, the words and the extra *headers* of its answer.

    The words are QStash's where a source has them, otherwise ours (assumed).
    """

    def __init__(self, status: int, error: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = headers


class ConnectionDropped(Exception):  # noqa: N818 - what `api.drop_connection` asks for, not an error of ours
    """The connection to QStash breaks before there is an answer."""
