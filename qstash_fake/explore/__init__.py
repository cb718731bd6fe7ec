"""Exploration: what a service that delivers at least once may do to a test, and the smallest of it that breaks it."""

from __future__ import annotations

from qstash_fake.explore.scenario import explore

__all__ = ["explore"]
