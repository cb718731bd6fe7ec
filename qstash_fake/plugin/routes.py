"""The option `unused_routes`: whether a test fails if it has a route that no delivery has come to.

A failing test's report names such routes in any case: a route whose URL has a typing error answers nobody. A route
that stood behind a newer one counts too, as no delivery came to it; the sentence says which one answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qstash_fake.errors import UsageError

if TYPE_CHECKING:
    from qstash_fake.delivery.routes import Route
    from qstash_fake.testing.fake import QStashFake

MAX_SHOWN = 5  # of the URLs that deliveries came to


def unused(fake: QStashFake) -> str:
    """Return a sentence on the routes of *fake* that no delivery has come to, empty if there are none."""
    from qstash_fake.testing.fake import inside

    routes = inside(fake).targets.routes
    unused = [_with_its_reason(route, routes.instead_of(route)) for route in routes if not route.called]
    if not unused:
        return ""
    urls = list(dict.fromkeys(attempt.message.url for attempt in fake.attempts))
    went = ", ".join(urls[:MAX_SHOWN]) + (f" and {len(urls) - MAX_SHOWN} more" if len(urls) > MAX_SHOWN else "")
    return f"no delivery came to {', '.join(unused)}; deliveries went to {went or 'nobody'}"


def _with_its_reason(route: Route, newer: Route | None) -> str:
    """Return the call that has made *route*, and which *newer* one has taken its deliveries, if one has."""
    return str(route) if newer is None else f"{route} (a newer {newer} answered instead)"


def refuse_unused(fake: QStashFake) -> None:
    """Raise UsageError for routes that no delivery has come to."""
    if sentence := unused(fake):
        raise UsageError(f"{sentence} (unused_routes='error')")
