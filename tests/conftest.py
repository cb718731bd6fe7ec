"""Settings that all tests share."""

from hypothesis import settings

pytest_plugins = ["pytester"]

# Two runs of the suite say the same; `--hypothesis-profile=explore` looks for what this one does not meet.
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=1_000, print_blob=True)
settings.load_profile("repeatable")
