#!/usr/bin/env bash
# Runs tests on several Pythons, on each with the lowest and with the newest versions of what qstash_fake depends on:
#     bash .ci/versions.sh python3.11 python3.12
# The lowest are the bounds in pyproject.toml, of the package and its extras; what only tests need is always the newest
# that goes with them. An environment stays in build/versions, and is made again if pyproject.toml is newer.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=$PWD/.venv/bin/uv
tests=${TESTS:-tests/protocol tests/broker tests/delivery tests/intercept tests/plugin}
lowest=build/versions/lowest.txt
unset PYTHONPATH  # an environment must find the checkout as it installs it
mkdir -p build/versions

.venv/bin/python - >"$lowest" <<'PYTHON'
import re, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = project["optional-dependencies"]
for requirement in project["dependencies"] + extras["server"] + extras["time-machine"]:
    print(re.sub(r">=([^,; ]+).*", r"==\1", requirement))
PYTHON

failed=()
for python in "$@"; do
    # A shim of pyenv is there for every Python, and fails for each one that is not chosen.
    if ! program=$("$python" -c 'import sys; print(sys.executable)' 2>/dev/null); then
        echo "$python: not on this machine, left out"
        continue
    fi
    for versions in lowest newest; do
        name=$(basename "$python")-$versions
        place=build/versions/$name
        echo "== $name"
        if [ ! "$place/.installed" -nt pyproject.toml ]; then
            "$uv" venv -q --clear --python "$program" "$place"
            constraints=()
            if [ "$versions" = lowest ]; then constraints=(-c "$lowest"); fi
            "$uv" pip install -q --python "$place/bin/python" "${constraints[@]}" -e '.[dev]'
            touch "$place/.installed"
        fi
        # What is old warns of what is new beside it, which nobody can mend here.
        warnings=error
        if [ "$versions" = lowest ]; then warnings=default; fi
        # shellcheck disable=SC2086 # several folders
        "$place/bin/python" -m pytest -q -p no:cacheprovider -n 2 -W "$warnings" $tests || failed+=("$name")
    done
done
if [ "${#failed[@]}" -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
