"""How the package is put together: DESIGN decisions that a small edit of pyproject.toml would undo."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_entry_point_is_named_like_the_module():
    # A short name aborts pytest when a user's conftest names the module as well.
    assert PROJECT["project"]["entry-points"]["pytest11"] == {"qstash_fake.pytest_plugin": "qstash_fake.pytest_plugin"}


def test_the_root_plugin_file_only_points_at_the_package():
    _docstring, statement = ast.parse((ROOT / "pytest_plugin.py").read_text(encoding="utf-8")).body
    assert ast.unparse(statement) == "pytest_plugins = ['qstash_fake.pytest_plugin']"


def test_the_wheel_ships_the_package_alone():
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"] == {"packages": ["qstash_fake"]}
    assert (ROOT / "qstash_fake" / "py.typed").is_file()


def test_the_extras_are_those_that_users_and_checkouts_need():
    extras = PROJECT["project"]["optional-dependencies"]
    assert set(extras) == {"server", "time-machine", "docs", "dev", "proof"}


def test_the_runtime_needs_no_more_than_it_says():
    names = {line.split(">=")[0] for line in PROJECT["project"]["dependencies"]}
    assert names == {"croniter", "freezegun", "h11", "httpx", "pyjwt", "pytest", "starlette", "tzdata"}
