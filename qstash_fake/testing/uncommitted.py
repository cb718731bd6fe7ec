"""Callbacks that wait for a commit of Django, and may publish: a test's transaction is never committed."""

from __future__ import annotations

import sys

DJANGO_DB = "django.db"  # imports nothing: without a database of Django there is no connection


def uncommitted() -> list[str]:
    """Return the line that a failure says of callbacks of `transaction.on_commit`; no line if there are none.

    The connections of this thread are asked. Django keeps a callback in the list until the commit, also after
    captureOnCommitCallbacks() has run it, and nothing tells the two cases apart. The line says that the callback is
    there, and not that it has not run.
    """
    count = _count()
    if not count:
        return []
    held = "1 callback" if count == 1 else f"{count} callbacks"
    said = (
        f"transaction.on_commit holds {held}, and Django does not commit the transaction of a test: use "
        "django_capture_on_commit_callbacks(execute=True) or django_db(transaction=True); "
        "in a TestCase captureOnCommitCallbacks(execute=True), or a TransactionTestCase"
    )
    return [said]


def _count() -> int:
    if DJANGO_DB not in sys.modules:
        return 0
    from django.conf import settings
    from django.db import connections

    if not settings.configured:
        return 0
    return sum(len(connection.run_on_commit) for connection in connections.all(initialized_only=True))
