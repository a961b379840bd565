# Every target first installs what it needs, so each works alone on a fresh clone.
# `make help` explains them; the words after ## are its text.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
BIN := .venv/bin
AXE := axe-core@4.14.1
OIDC_PROVIDER := oidc-provider@9.13.3
NODE_MODULES := .cache/node/node_modules
# Compiled where its headers are; without them the tests of directories say so themselves.
LDAP := $(if $(wildcard /usr/include/ldap.h),requirements-ldap.txt)
# What Django reads of locale/ is not kept in git: each install makes what is missing or old.
COMPILE_WORDS = $(BIN)/python -m contrib.messages compile
# Processes that share `make test`; each has servers of its own.
PROCESSES ?= 2
# A site that has everything production asks for, for the checks that read its settings.
PRODUCTION := REMIT_ENV=production \
	DATABASE_URL=postgresql://remit@database.example/remit \
	BROKER_URL=redis://broker.example:6379/0 \
	SECRET_KEY=only-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGH \
	ALLOWED_HOSTS=remit.example CSRF_TRUSTED_ORIGINS=https://remit.example

# PORT and DATA_DIR reach the programs as they were given: `make run PORT=8001` too.
export PORT DATA_DIR DEMO_PROVIDER

.PHONY: help
help: ## Explain every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: install $(if $(DEMO_PROVIDER),$(NODE_MODULES)/oidc-provider) ## Run all of Remit with a demo site; PORT (8000) and DATA_DIR (.data) choose where
	@exec $(BIN)/python -m portal.lib.run

.PHONY: test
test: install-dev $(NODE_MODULES)/axe-core $(NODE_MODULES)/oidc-provider ## Run all tests; REQUIRE_ALL=1 fails on what cannot run here
	$(BIN)/pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

.PHONY: test-system
test-system: ## Install what tests need from the system: browser, fonts, MariaDB, Ceph, OpenStack's services
	.ci/test-system

.PHONY: check
check: install-dev ## Lint, format, types, import directions, migrations and production settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	env -u DATA_DIR $(BIN)/python -m portal.lib.servers \
		$(BIN)/python manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

.PHONY: cloud
cloud: ## Start real OpenStack services in two regions (the first time installs them)
	$(PYTHON) -m contrib.testing.openstack install
	$(PYTHON) -m contrib.testing.openstack up

.PHONY: cloud-down
cloud-down: ## Stop what `make cloud` started
	$(PYTHON) -m contrib.testing.openstack down

.PHONY: soak
soak: install-dev ## Decide while all is killed and fails at random; MINUTES (5), SEED, CLOUD (sandbox)
	@exec $(BIN)/python -m contrib.soak --minutes $(or $(MINUTES),5) \
		--cloud $(or $(CLOUD),sandbox) $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: install-dev ## Measure Remit on made sites, beside floors, into bench/results and docs/performance.md; PARTS, SCALES, SECONDS (20) a page, MINUTES (60) for memory, BUSY=1
	@MINUTES=$(or $(MINUTES),60) SECONDS=$(or $(SECONDS),20) $(BIN)/python -m bench $(PARTS) \
		$(addprefix --scale ,$(SCALES)) $(if $(BUSY),--busy)

.PHONY: walk
walk: install-dev ## Take thousands of random steps through authority, beside a slow recomputation; WALK_SEED
	HYPOTHESIS_PROFILE=long $(BIN)/pytest -s quotas/tests/walk/test_walk.py

.PHONY: walk-faults
walk-faults: install-dev ## Break rules of authority on purpose, and see that the walks of `make test` notice
	$(BIN)/pytest -s quotas/tests/walk/check_faults.py

.PHONY: contract
contract: install-dev ## Call every operation of the API in many ways, at random; EXAMPLES (40) of each
	CONTRACT_EXAMPLES=$(or $(EXAMPLES),40) $(BIN)/pytest --show-capture=no quotas/tests/contract

.PHONY: examples
examples: install-dev ## Record the examples of the API's document that are missing or do not fit any more
	$(BIN)/pytest -q quotas/tests/record_examples.py

.PHONY: messages
messages: install-dev ## Gather what is shown to people for translators, into locale/
	$(BIN)/python -m contrib.messages update

.PHONY: pictures
pictures: install-dev $(NODE_MODULES)/axe-core ## Make the README's pictures anew, from the demo site in a browser
	PICTURES=docs/pictures $(BIN)/pytest quotas/tests/test_looks.py

.PHONY: clean
clean: ## Remove what was made here, except the data of `make run`
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf staticfiles test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: install
install: ## Make .venv hold what Remit runs on
	@$(or $(PYTHON),$(error Remit needs Python 3.11 or newer, and no python3 was found)) \
		portal/lib/bootstrap.py requirements.txt
	@$(COMPILE_WORDS)

.PHONY: install-dev
install-dev: ## Make .venv hold what checks and tests need too
	@$(or $(PYTHON),$(error Remit needs Python 3.11 or newer, and no python3 was found)) \
		portal/lib/bootstrap.py requirements.txt requirements-dev.txt $(LDAP)
	@$(COMPILE_WORDS)

# Without npm the browser tests say so themselves.
$(NODE_MODULES)/axe-core: Makefile
	@if command -v npm >/dev/null; then \
		npm install --silent --no-audit --no-fund --prefix .cache/node $(AXE) && touch $@ \
		|| echo "axe-core could not be fetched: accessibility tests will be skipped"; \
	fi

# After the other one: two npm in one folder would undo each other.
$(NODE_MODULES)/oidc-provider: Makefile | $(NODE_MODULES)/axe-core
	@if command -v npm >/dev/null; then \
		npm install --silent --no-audit --no-fund --prefix .cache/node $(OIDC_PROVIDER) && touch $@ \
		|| echo "oidc-provider could not be fetched: tests of sign-in will be skipped"; \
	fi
