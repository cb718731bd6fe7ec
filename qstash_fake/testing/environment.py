"""The environment variables that the SDKs read, for as long as a fake is there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from qstash_fake.broker.keys import DEV_CURRENT_KEY, DEV_NEXT_KEY

KEY_NAMES = ("QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY")


def signing_keys() -> tuple[str, str]:
    """Return both signing keys of the environment, or those of the dev server if it does not have both."""
    current, following = (os.environ.get(name) for name in KEY_NAMES)
    return (current, following) if current and following else (DEV_CURRENT_KEY, DEV_NEXT_KEY)


@contextmanager
def variables(url: str, token: str) -> Iterator[None]:
    """Set the four variables; at the end of the context they are what they would be without it."""
    values = {"QSTASH_URL": url, "QSTASH_TOKEN": token} | dict(zip(KEY_NAMES, signing_keys(), strict=True))
    covered = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(covered)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
