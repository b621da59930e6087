# What can be done with a checkout. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

TARGET := $(or $(CARGO_TARGET_DIR),target)

# What the pages are made of. Folders count too: theirs is the time that changes when a file goes.
WEB_SOURCES := $(shell find web/src) $(wildcard web/*.html web/*.json web/vite.config.ts)
WEB_INSTALLED := web/node_modules/.installed
WEB_BUILT := web/dist/index.html
CLIENTS_INSTALLED := tests/clients/node_modules/.installed

# A tool of others that makes operations up; with its own Python packages, each of a known version.
SCHEMATHESIS := $(TARGET)/schemathesis

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Build everything, then run gateway and Aurora sandbox on loopback
	@exec $(TARGET)/release/heliograph demo

.PHONY: test
test: ## Install what the tests need, then run every check and test
	@scripts/setup-tests.sh
	@scripts/test.sh

.PHONY: build
build: web ## Build the pages and the release binary
	cargo build --release --locked

.PHONY: web
web: $(WEB_BUILT) ## Build the pages that the binary embeds, if their sources changed

.PHONY: schema
schema: ## Rewrite schema.graphql from the code
	cargo run --quiet --locked -- schema > schema.graphql.new
	mv schema.graphql.new schema.graphql

.PHONY: bench
bench: ## Measure the gateway, side by side with the least that the same work could cost
	ulimit -n $$(ulimit -Hn) && cargo bench --locked --bench cached_summary --bench edges --bench fanout --bench intake --bench outbound

.PHONY: soak
soak: ## Let the full storm loose, cut the power of real disks, spend Aurora's budget (as root; some minutes)
	cargo bench --locked --bench soak_budget
	cargo bench --locked --bench soak

.PHONY: bench-count
bench-count: ## Count the instructions that the edges add to a cached answer, with valgrind
	@scripts/bench-count.sh

.PHONY: security
security: ## Judge dependencies, switch each control off, make operations up: an hour at the first time
	@scripts/security.sh

.PHONY: lint
lint: ## Check formats, types and lints; run no test
	@scripts/test.sh lint

$(WEB_INSTALLED): web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

$(CLIENTS_INSTALLED): tests/clients/package.json tests/clients/package-lock.json
	cd tests/clients && npm ci --no-audit --no-fund
	@touch $@

$(SCHEMATHESIS)/.installed: tests/schemathesis/requirements.txt
	python3 -m venv --clear $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

$(WEB_BUILT): $(WEB_INSTALLED) $(WEB_SOURCES)
	cd web && npm run build
	@touch $@
