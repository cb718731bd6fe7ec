"""The small application of most tests: where it stands, and when their time starts."""

from datetime import UTC, datetime

SHOP = "https://shop.example"
JOBS = f"{SHOP}/jobs"  # where most tests publish to

START = datetime(2026, 1, 1, tzinfo=UTC)
START_TEXT = "2026-01-01T00:00:00Z"  # for the option start=
START_S = 1_767_225_600
START_MS = 1_767_225_600_000
