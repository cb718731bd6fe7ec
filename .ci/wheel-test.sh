#!/usr/bin/env bash
# wheel-test.sh PYTHON WHEEL: install WHEEL into a clean environment outside the checkout and use the fixture there.
set -euo pipefail

python=$1
wheel=$(realpath "$2")
test=$(realpath "$(dirname "$0")/wheel_test.py")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$python" -m venv "$scratch/env"
"$scratch/env/bin/python" -m pip install -qq --disable-pip-version-check --no-input "$wheel" qstash
mkdir "$scratch/suite"
cp "$test" "$scratch/suite/test_wheel.py"
cd "$scratch/suite"
unset PYTHONPATH PYTEST_ADDOPTS PYTEST_PLUGINS  # whatever the caller set must not bring the checkout back
"$scratch/env/bin/python" -m pytest -q -W error --strict-markers test_wheel.py
