# Everything a contributor needs. Works with GNU make 3.81 (macOS) and later.

PYTHON ?= python3
POSTGRES ?= 18
# Most tests wait more than they compute: four keep two cores busy.
JOBS ?= 4
FAILOVERS ?= 10
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest
# What root gets installed, and an ordinary user is told of; tests that need what is missing are out.
WITHOUT = $(shell .ci/packages pgbouncer faketime) $(shell .ci/root)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-all test-rest faults pgbouncer chaos fuzz failover upgrades property limits mutants check fmt docs-sql sync-client bench psql lock clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.dev ## make .venv with everything for development

run: $(VENV)/.run ## start PostgreSQL, API and worker here (ARGS="--port 9000 --app shop.tasks:app")
	@PGQUEUE_HOOK_DEMO_SECRET=$${PGQUEUE_HOOK_DEMO_SECRET-$(DEMO_SECRET)} exec $(BIN)/pgqueue up $(ARGS)

demo: $(VENV)/.run ## submit a batch of all built-in types to `make run`, print where the results are
	@$(BIN)/python examples/demo.py

# What examples/webhook_processing.py signs with: known to everybody, so it protects nothing.
DEMO_SECRET := whsec_ZGVtbyBzZWNyZXQgb2YgcGdxdWV1ZQ==

test: $(VENV)/.dev ## run what every commit must pass, in about five minutes (ARGS=…)
	$(PYTEST) -n $(JOBS) --postgres=$(POSTGRES) $(ARGS)

test-all: test test-rest ## run `make test`, and then everything else (ARGS=…)

# What `make test-all` adds, one directory a subject; pytest's `testpaths` are those of `make test`.
REST = tests/acceptance tests/bench tests/chaos tests/fuzz tests/mutants tests/property tests/upgrades
# Where a pooler could matter most; `make pgbouncer` runs everything that talks to PostgreSQL.
POOLED = tests/chaos/test_pooler.py tests/library/test_transactions.py tests/library/test_client.py \
  tests/worker/reports/test_exactly_once.py tests/database/test_limits.py
OLDEST = tests/database tests/library

# The paths that ARGS names, and what they leave of a pass: nothing, or themselves instead of its own.
NAMED = $(wildcard $(foreach word,$(ARGS),$(firstword $(subst ::, ,$(word)))))
paths = $(if $(NAMED),,$(1))
covers = $(if $(NAMED),$(filter $(1) $(addsuffix /%,$(1)),$(NAMED)),all)

test-rest: $(VENV)/.dev
ifeq ($(NAMED),)
	$(PYTEST) -n 2 --postgres=$(POSTGRES) $(WITHOUT) $(REST) $(ARGS)
endif
ifneq ($(call covers,$(POOLED)),)
	@case "$(WITHOUT)" in *pgbouncer*) ;; *) \
	  set -x; $(PYTEST) -n $(JOBS) --postgres=$(POSTGRES) --pooler=pgbouncer $(call paths,$(POOLED)) $(ARGS) ;; \
	esac
endif
ifneq ($(call covers,$(OLDEST)),)
	@if [ -x /usr/lib/postgresql/15/bin/initdb ]; then \
	  set -x; $(PYTEST) -n $(JOBS) --postgres=15 $(call paths,$(OLDEST)) $(ARGS); \
	else \
	  echo "PostgreSQL 15 is not installed here, so only $(POSTGRES) was tested (CI tests both)."; \
	fi
endif

faults: $(VENV)/.dev ## break everything, one fault at a time, and print what was measured
	$(BIN)/pytest --postgres=$(POSTGRES) tests/chaos $(WITHOUT) $(ARGS)

chaos: $(VENV)/.dev ## break everything at random, then read the books (TASKS=… FAULTS=… SEED=…)
	$(BIN)/python -m tests.chaos --tasks $(TASKS) --faults $(FAULTS) --seed $(SEED) \
	  $(shell .ci/packages faketime)

CALLS ?= 20000
TASKS ?= 100000
FAULTS ?= 100
SEED ?= 1

property: $(VENV)/.dev ## drive all transitions against a model (EXAMPLES=… STEPS=… SEED=…)
	EXAMPLES=$(EXAMPLES) STEPS=$(STEPS) SEED=$(SEED) $(BIN)/pytest -n $(JOBS) --postgres=$(POSTGRES) \
	  tests/property $(ARGS)

EXAMPLES ?= 5000
STEPS ?= 50

failover: $(VENV)/.dev ## fail over to a standby and back, FAILOVERS=10 times, and print what was lost
	FAILOVERS=$(FAILOVERS) $(BIN)/pytest --postgres=$(POSTGRES) tests/chaos/test_failover.py $(ARGS)

pgbouncer: $(VENV)/.dev ## run the tests of all parts through PgBouncer in transaction mode (ARGS=…)
	@case "$(WITHOUT)" in *pgbouncer*) exit 1 ;; esac
	$(BIN)/pytest -n $(JOBS) --postgres=$(POSTGRES) --pooler=pgbouncer tests/chaos/test_pooler.py \
	  tests/database tests/library tests/api tests/worker tests/tasks $(ARGS)

fuzz: $(VENV)/.dev ## make 20,000 calls to the API as schemathesis thinks them up (CALLS=… SEED=…)
	PGQUEUE_TEST_FUZZ_CALLS=$(CALLS) PGQUEUE_TEST_FUZZ_SEED=$(SEED) \
	  $(BIN)/pytest --postgres=$(POSTGRES) tests/fuzz $(ARGS)

upgrades: $(VENV)/.dev ## roll releases over each other under load: this and the next, the last and this
	$(BIN)/pytest --postgres=$(POSTGRES) tests/upgrades $(ARGS)

limits: $(VENV)/.dev ## hold limits against random crashes for a minute
	PGQUEUE_TEST_LIMITS_S=60 $(BIN)/pytest --timeout=180 tests/database/test_limit_ledger.py $(ARGS)

mutants: $(VENV)/.dev ## take each protection out of a copy of the tree, and see the tests notice
	$(BIN)/python -m tests.mutants $(ARGS)

check: $(VENV)/.dev ## lint, format, types, import contracts, SQL: what CI runs first
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 0 sql
	$(BIN)/squawk sql/migrations/*.sql

fmt: $(VENV)/.dev ## format, and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/sqlfluff fix --processes 0 sql

docs-sql: $(VENV)/.dev ## write docs/sql.md from the comments in sql/
	$(BIN)/python -m tests.docs.sql_reference

sync-client: $(VENV)/.dev ## write pgqueue/client/sync from the asynchronous client
	$(BIN)/python -m tests.unit.sync_client

bench: $(VENV)/.dev ## measure, and print the figures beside PgQueuer's (ARGS=…)
	$(BIN)/python -m bench $(ARGS)

psql: $(VENV)/.run ## open psql on the queue's database (ARGS="-f queue_health.sql")
	@exec $(BIN)/pgqueue psql $(ARGS)

lock: $(VENV)/.dev ## bring the lock files up to date (ARGS=--upgrade for newer versions)
	$(LOCK) --extra embedded --extra otlp --extra tasks --group build \
	  --output-file requirements.lock
	$(LOCK) --all-extras --group build --group test --group check --group bench --group lock \
	  --constraint requirements.lock --output-file requirements-dev.lock

LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-annotate --no-header $(ARGS)

clean: ## remove .venv and what the tools left (never .pgqueue/, your data)
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for what runs, one for development: a first `make run` takes half the time.
$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what pgqueue runs on, into $(VENV) (a minute, the first time)"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "Installing what its development needs, into $(VENV) (a minute, the first time)"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) is not installed; pgqueue needs Python 3.11 or later." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "pgqueue needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V)." >&2; \
	  echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments." >&2; \
	  echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
