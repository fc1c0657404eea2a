# One command each. `make` alone lists them; CI runs `make test` and nothing of its own.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
VIEWER := pushgateway-bridge/viewer
VIEWER_DIST := pushgateway-bridge/src/pushgateway_bridge/web/viewer
SOURCES := exporter/src pushgateway-bridge/src web-config/src grafana stack tests bench demo
# The programs need it, and it comes from beside them: a lock holds only what comes from an index.
UNPUBLISHED := --no-emit-package telemetry-web-config
# Unit tests compute, for two cores. Those with real programs wait as well, and share them file by file; the order is
# that of tests/conftest.py. A browser and its stack are those of one process.
UNIT_TESTS := -m "not stack and not browser" -n 2 --dist worksteal
STACK_TESTS := -m stack -n 4 --dist loadgroup --no-loadscope-reorder
BROWSER_TESTS := -m browser -n 2 --dist worksteal

# Tests start Python hundreds of times: what it compiled once is kept, also where the environment says not to.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install viewer up down reset status logs alert-test test check coverage test-stack test-browser test-compose \
	format golden dashboards reference lock bench bench-bridge bench-exporter \
	bench-dashboards bench-alerts demo demo-clean soak clean

help: ## list the commands
	@echo "A self-hosted telemetry stack. Start it with 'make up', try it, end it with 'make down'."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) viewer ## put host-exporter and pushgateway-bridge into .venv/bin

$(STAMP): requirements/bootstrap.lock requirements/dev.lock exporter/pyproject.toml pushgateway-bridge/pyproject.toml \
		web-config/pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing: install Python 3.11 or later (Debian: apt-get install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than 3.11: name a newer one with 'make PYTHON=python3.12 ...'" >&2; exit 1; }
	@echo "installing into $(VENV) (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "make: $(PYTHON) cannot make a virtual environment (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.lock requirements/bootstrap.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e exporter -e pushgateway-bridge -e web-config
	@touch $@

# Without npm everything else works; /dashboard then says how to get the page.
viewer: $(STAMP)
	@$(BIN)/python -m stack viewer

up: install ## start the stack (Docker if it runs here, else plain processes) and print where to look
	@$(BIN)/python -m stack up

down: ## end what 'make up' started; data stays
	@test -x $(BIN)/python || { echo "nothing to end: 'make up' has not been run here"; exit 0; }; $(BIN)/python -m stack down

reset: ## the same, and delete the data
	@test -x $(BIN)/python || { echo "nothing to reset: 'make up' has not been run here"; exit 0; }; $(BIN)/python -m stack reset

status: ## one line per part
	@test -x $(BIN)/python || { echo "not running: 'make up' has not been run here"; exit 1; }; $(BIN)/python -m stack status

logs: ## follow the logs of every part
	@test -x $(BIN)/python || { echo "no logs: 'make up' has not been run here"; exit 1; }; $(BIN)/python -m stack logs

# ALERT_TEST_ARGS='--receiver email' tries one.
alert-test: $(STAMP) ## send a test through every way to notify, and say which arrived
	@$(BIN)/pushgateway-bridge alert test --env.file .env $(ALERT_TEST_ARGS)

test: check test-stack test-browser ## everything CI runs: check, then the real stack, then the browser

check: install ## quick: format, lint, types, import layers, locks, unit tests
	@$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "make: run 'make format'" >&2; exit 1; }
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/mypy $(SOURCES)
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q $(UNIT_TESTS) $(PYTEST_ARGS)

coverage: install ## the unit tests, with the lines and branches that they do not reach
	@$(BIN)/python -m pytest -q $(UNIT_TESTS) --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

test-stack: install ## the real Prometheus and Alertmanager with our two servers
	@$(BIN)/python -m stack tools prometheus promtool alertmanager amtool docker-compose victoria-metrics pushgateway node_exporter
	@$(BIN)/python -m pytest -q $(STACK_TESTS) $(PYTEST_ARGS)

test-browser: install ## pages in a real headless Chromium
	@$(BIN)/python -m stack tools browser
	@$(BIN)/python -m pytest -q $(BROWSER_TESTS) $(PYTEST_ARGS)

test-compose: install ## build the images and start docker-compose.yml for real with podman (root, Debian; minutes)
	@$(BIN)/python -m pytest -q tests/compose $(PYTEST_ARGS)

format: install ## format the sources
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix --quiet $(SOURCES)

golden: install ## rewrite golden files from what the code gives now; read the diff
	@$(BIN)/python -m pytest -q -m "not stack and not browser" --update-golden

dashboards: install ## write grafana/dashboards/*.json from their Python sources
	@cd grafana && ../$(BIN)/python -m telemetry_dashboards

reference: install ## write docs/configuration.md and docs/exporter-metrics.md from the code
	@$(BIN)/pushgateway-bridge config-reference > docs/configuration.md
	@$(BIN)/python -m host_exporter.metric_reference > docs/exporter-metrics.md

lock: ## renew requirements/*.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade requirements/bootstrap.in -o requirements/bootstrap.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade $(UNPUBLISHED) requirements/dev.in exporter/pyproject.toml pushgateway-bridge/pyproject.toml -o requirements/dev.lock
	@for part in exporter pushgateway-bridge; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(UNPUBLISHED) $$part/pyproject.toml -c requirements/dev.lock -o requirements/$$part.lock; done

bench: bench-bridge bench-exporter ## compare with peers, side by side in one run; docs/benchmarks.md has the method

bench-bridge: install ## the push bridge beside Debian's Pushgateway (a quarter of an hour; BENCH_ARGS=--quick for three minutes)
	@$(BIN)/python -m bench bridge $(BENCH_ARGS)

bench-exporter: install ## the exporter beside Debian's node_exporter (five minutes; BENCH_ARGS=--quick for one)
	@$(BIN)/python -m bench exporter $(BENCH_ARGS)

bench-dashboards: install ## every panel over a month of a hundred hosts (ten minutes; BENCH_ARGS=--quick for two)
	@$(BIN)/python -m bench dashboards $(BENCH_ARGS)

bench-alerts: install ## from a push to the message, and rules over 2 000 hosts (half an hour; BENCH_ARGS=--quick for eight minutes)
	@$(BIN)/python -m bench alerts $(BENCH_ARGS)

demo: install ## make up a fleet that reports to the running stack, until Ctrl-C (DEMO_ARGS='--duration 10m'; docs/demo.md)
	@$(BIN)/python -m demo run $(DEMO_ARGS)

demo-clean: install ## delete at the bridge what the demo made, and say what stays
	@$(BIN)/python -m demo clean $(DEMO_ARGS)

soak: install ## faults and hostile input at length (hours; SOAK_SHARE=0.05 for a twentieth); docs/faults.md has what is tested
	@$(BIN)/python -m pytest -s tests/soak $(PYTEST_ARGS)

clean: ## delete what was built and installed here, but no data
	@rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis $(VIEWER)/node_modules $(VIEWER_DIST)
