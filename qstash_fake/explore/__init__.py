"""Exploration: the faults that a service with at-least-once delivery may cause, and the fewest that break a test."""

from __future__ import annotations

from qstash_fake.explore.scenario import explore

__all__ = ["explore"]
