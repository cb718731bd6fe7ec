"""The environment variables that the SDKs read, for as long as a fake is there.

**Layers that end out of order.** A layer of values lies over the values before it, and remembers them. Two fakes may be
there at once and end in any order. When a layer ends, the values that it remembers are put back. If another layer lies
over it, nothing of the lower layer can be seen; the layer above it then takes over what the lower one remembers.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from qstash_fake.broker.keys import DEV_CURRENT_KEY, DEV_NEXT_KEY
from qstash_fake.errors import UsageError
from qstash_fake.intercept.cloud import REGIONS

URL = "https://qstash-fake.invalid"  # RFC 2606, 2: a name that nobody can have
# The official dev server's first user. QStash docs, howto/local-development.
DEV_TOKEN = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
KEY_NAMES = ("QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY")
VARIABLES = ("QSTASH_URL", "QSTASH_TOKEN", *KEY_NAMES)

# The process has one environment, hence one list of layers, the top last. Each maps names to the values it covers.
_LAYERS: list[dict[str, str | None]] = []
_LOCK = threading.Lock()


def base_url(url: object) -> str:
    """Return the base URL of `url=`, or raise UsageError for one that no client can use."""
    text = str(url)
    if not re.fullmatch(r"https?://[^/?#\s]+/?", text, re.IGNORECASE):
        raise UsageError(f"url={text!r} is no address of QStash: give a scheme and a host, such as {URL!r}")
    return text


def known_region(region: str | None) -> str | None:
    """Return the region of `region=`, or raise UsageError if QStash has no such region."""
    if region is not None and region not in REGIONS:
        raise UsageError(f"region={region!r} is unknown: use one of {', '.join(map(repr, REGIONS))}")
    return region


def known_tokens(token: Any) -> str | Sequence[str] | None:
    """Return `token=`, or raise UsageError for what is neither a token nor several."""
    if token is None or isinstance(token, str):
        return token
    if not isinstance(token, Sequence) or not all(isinstance(one, str) for one in token):
        raise UsageError(f"token={token!r} is no token: give a text, or a list of them")
    return token


def signing_keys() -> tuple[str, str]:
    """Return both signing keys of the environment, or those of the dev server if it does not have both."""
    current, following = (os.environ.get(name) for name in KEY_NAMES)
    return (current, following) if current and following else (DEV_CURRENT_KEY, DEV_NEXT_KEY)


def holds_key(key: str) -> bool:
    """Tell whether one of the two variables of signing keys is *key*."""
    return any(os.environ.get(name) == key for name in KEY_NAMES)


def of_a_fake(url: str, token: str) -> dict[str, str]:
    """Return the four variables while a fake is there; both signing keys that are set already stay."""
    return dict(zip(VARIABLES, (url, token, *signing_keys()), strict=True))


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set *values*; at the end of the context the environment is as it would be without them."""
    with _LOCK:
        covered = {name: os.environ.get(name) for name in values}
        _LAYERS.append(covered)
        os.environ.update(values)
    try:
        yield
    finally:
        with _LOCK:
            at = next(at for at, layer in enumerate(_LAYERS) if layer is covered)
            over = _LAYERS[at + 1 :]
            del _LAYERS[at]
            for name, value in covered.items():
                if (layer := next((layer for layer in over if name in layer), None)) is not None:
                    layer[name] = value
                elif value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
