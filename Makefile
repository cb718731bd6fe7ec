# Needs Python 3.11 or newer, and make. Everything else is put into .venv by the first command that needs it.
PYTHON ?= python3
# Four workers at most: past that, starting one costs more than its share of the tests. One that is done takes tests of
# another, for the longest stand near the end.
PYTEST_ARGS ?= -n auto --maxprocesses=4 --dist=worksteal
PY := .venv/bin/python
STAMP := .venv/.installed
PROOF := .venv/.proof
# Tests start many processes, and each would compile the package again.
unexport PYTHONDONTWRITEBYTECODE
PIP_FLAGS := -qq --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help demo test conformance browser lint types wheel bench pictures docs mutants coverage fuzz random versions clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

AT_LEAST_3_11 := sys.exit(sys.version_info < (3, 11))

# A .venv that works is completed; one that is missing, half made or too old is made again.
$(STAMP): pyproject.toml
	@$(PY) -c 'import pip, sys; $(AT_LEAST_3_11)' 2>/dev/null || { \
	$(PYTHON) -c 'import sys; $(AT_LEAST_3_11)' || { echo "qstash_fake needs Python 3.11 or newer, \
	and $(PYTHON) is not that. Name one that is: make PYTHON=python3.12 ..." >&2; exit 1; }; \
	$(PYTHON) -m venv --clear .venv; }
	@echo "setting up .venv (once; about a minute)"
	@$(PY) -m pip install $(PIP_FLAGS) -e '.[dev]'
	@touch $@

# The tools of mutants, coverage, random and versions: nobody needs them to change the project.
$(PROOF): $(STAMP)
	@$(PY) -m pip install $(PIP_FLAGS) -e '.[proof]'
	@touch $@

demo: $(STAMP)  ## the example's own tests, then one message from publish to dead letter
	@$(PY) -m pytest -v examples/fastapi_shop
	@$(PY) examples/fastapi_shop/timeline.py

test: $(STAMP)  ## all tests; make test PYTEST_ARGS='-x -k retry' picks
	@$(PY) -m pytest $(PYTEST_ARGS)

# Without the plugin, which would stop calls of the real service.
conformance: $(STAMP)  ## the facts against any QStash: make conformance URL=https://… TOKEN=…; none: the fake
	@CONFORMANCE_URL='$(URL)' CONFORMANCE_TOKEN='$(TOKEN)' \
	$(PY) -m pytest -p no:xdist -p no:qstash_fake.pytest_plugin -rs conformance

browser: $(STAMP)  ## the page in a real browser; skipped, with the reason, where no chromium is installed
	@$(PY) -m pytest -p no:xdist -rs tests/browser

lint: $(STAMP)  ## ruff: rules and format
	@$(PY) -m ruff check -q .
	@$(PY) -m ruff format -q --check .

types: $(STAMP)  ## mypy, strict; and basedpyright on a suite that says all its types
	@$(PY) -m mypy
	@$(PY) -m basedpyright --pythonpath $(PY)

wheel: $(STAMP)  ## build the wheel, and use it in a second environment without the checkout
	@rm -rf dist
	@$(PY) -m hatchling build -t wheel -d dist
	@bash .ci/wheel-test.sh $(PY) dist/*.whl

bench: $(STAMP)  ## the budgets: a table and a JSON file; make bench BENCH='publish delivery' picks
	@$(PY) benchmarks/run.py --json benchmarks/results.json $(BENCH)

# Mutants of functions, not of tables. PATHS are names of modules or functions, with stars: make mutants
# PATHS='qstash_fake.broker.retries.*'. Only these plugins: the loading of all others is most of a mutant's time.
# SAMPLE=40 runs 40 mutants of each module, always the same. What was killed once is not run again until it changes.
PATHS ?= qstash_fake.protocol.* qstash_fake.broker.*
SAMPLE ?= 0
MUTMUT := PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONPATH=$(CURDIR) \
	PYTEST_PLUGINS=pytest_asyncio.plugin,_hypothesis_pytestplugin,qstash_fake.pytest_plugin $(PY) -m mutmut

mutants: $(PROOF)  ## mutation testing of protocol/ and broker/ (hours); PATHS='…cron.*' picks, SAMPLE=40 draws
	@$(PY) .ci/mutants.py choose $(SAMPLE) $(foreach path,$(PATHS),'$(path)')
	@$(MUTMUT) run
	@$(PY) .ci/mutants.py report $(foreach path,$(PATHS),'$(path)')

coverage: $(PROOF)  ## branch coverage of the suite; fails below 97 %, and below 100 % of protocol, broker, explore
	@rm -f .coverage .coverage.*
	@$(PY) -m coverage run -m pytest -q $(PYTEST_ARGS)
	@$(PY) -m coverage combine -q
	@$(PY) -m coverage report --skip-covered --fail-under=97
	@$(PY) -m coverage report --skip-covered --fail-under=100 \
	--include='qstash_fake/protocol/*,qstash_fake/broker/*,qstash_fake/explore/*'

# Schemathesis has its own bound.
FUZZED := tests/protocol tests/api tests/test_raw_urls.py --ignore tests/api/test_schemathesis.py

fuzz: $(STAMP)  ## 3,000 random inputs for each property of a parser or a wire form; make fuzz PYTEST_ARGS='-k cron' picks
	@$(PY) -m pytest -q --hypothesis-profile=fuzz -m hypothesis $(PYTEST_ARGS) $(FUZZED)

random: $(PROOF)  ## all tests in random order on four workers; SEED=… repeats an order
	@$(PY) -m pytest -q -n 4 --random-order --random-order-bucket=global $(if $(SEED),--random-order-seed=$(SEED))

PYTHONS ?= python3.11 python3.12 python3.13 python3.14

versions: $(PROOF)  ## tests on each Python of PYTHONS that is here, with the lowest and the newest dependencies
	@bash .ci/versions.sh $(PYTHONS)

pictures: $(STAMP)  ## make the pictures of the documentation again, from real runs
	@$(PY) docs/pictures/make.py

# Warnings are errors: a link that leads nowhere, a page that nobody links to, a docstring that cannot be read.
docs: $(STAMP)  ## the documentation as a site, build/site/index.html, with the API out of the docstrings
	@$(PY) -m sphinx -q -W --keep-going -c docs/site -d build/doctrees . build/site

clean:  ## remove .venv and everything that was built
	@rm -rf .venv dist build mutants .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
