"""Lets `pytest -p pytest_plugin` work from a checkout; the wheel has only the plugin named here."""

pytest_plugins = ["qstash_fake.pytest_plugin"]
