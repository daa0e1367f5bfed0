# Everything a contributor runs. `make help` lists it.

GOLANGCI_LINT := v2.15.0
GOVULNCHECK   := v1.9.0
FUZZ_TIME     ?= 10s
SOAK_KILLS    ?= 200
SOAK_POSTGRES_AWAY ?= 1m
SOAK_WATERMILL ?= 5
SOAK_REACTION_KILLS ?= 100
SOAK_BACKUP   ?= 1m
SOAK_DIFFS    ?= 500
SOAK_REPLAY_KILLS ?= 10
TEST_FLAGS    ?= -timeout 15m

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# .ci/install leaves a Go toolchain in .tools/go where the machine has none
# that is new enough.
export PATH := $(CURDIR)/.tools/go/bin:$(PATH)

golangci-lint := .tools/golangci-lint-$(GOLANGCI_LINT)
govulncheck   := .tools/govulncheck-$(GOVULNCHECK)

# Folders with packages from npm: clients in other languages that tests and
# benchmarks run against the node.
npm-locks   := $(shell find . -name node_modules -prune -o -name package-lock.json -print)
npm-modules := $(npm-locks:package-lock.json=node_modules/.package-lock.json)

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## compile bin/portal
	CGO_ENABLED=0 go build -trimpath -o bin/portal ./cmd/portal

.PHONY: run
run: machine build ## serve a demo business with two years of history; Ctrl-C stops all that it started
	@exec bin/portal demo

.PHONY: clean-data
clean-data: ## delete .data, the demo's log, database and keys; asks first
	@folders=("$(CURDIR)/.data"); \
	elsewhere=$$(readlink .data/postgres || true); \
	if [[ "$$elsewhere" =~ ^/var/lib/portal-demo-[^/]+$$ ]]; then folders+=("$$elsewhere"); fi; \
	printf 'Everything in %s\n' "$${folders[@]}"; \
	read -r -p "will be deleted. Go on? [y/N] " answer; \
	if [[ "$$answer" == [yY] ]]; then rm -rf "$${folders[@]}"; else echo "Nothing was deleted."; fi

.PHONY: test
test: setup ## run all tests with the race detector, on a private Postgres of their own
	CGO_ENABLED=1 go test -race $(TEST_FLAGS) ./...

.PHONY: check
check: tidy-check generate-check format-check vet lint vulncheck ## format, lint, generated code, modules, known vulnerabilities: what CI runs before the tests
	@echo "make check: all good"

.PHONY: fmt
fmt: $(golangci-lint) ## format the code
	$(golangci-lint) fmt

.PHONY: bench
bench: setup ## measure side by side with Postgres, Emmett and message-db (ARGS="-h" shows its flags)
	CGO_ENABLED=0 go run ./internal/bench $(ARGS)

.PHONY: soak
soak: setup ## the long forms of the tests: SOAK_KILLS (200), SOAK_REACTION_KILLS (100) and SOAK_REPLAY_KILLS (10) rounds of kill -9, Postgres away for SOAK_POSTGRES_AWAY (1m), backups for SOAK_BACKUP (1m), diffs of SOAK_DIFFS (500) histories, Watermill's suite SOAK_WATERMILL (5) times at once
	PORTAL_SOAK_KILLS=$(SOAK_KILLS) go test -count=1 -timeout 60m -v -run Kill ./eventstore/node
	PORTAL_SOAK_BACKUP=$(SOAK_BACKUP) go test -count=1 -timeout 60m -v -run TestABackupUnderLoad ./eventstore/node
	PORTAL_SOAK_POSTGRES_AWAY=$(SOAK_POSTGRES_AWAY) CGO_ENABLED=1 go test -race -count=1 -timeout 60m -v -run TestPostgresGoesAwayUnderLoad ./cmd/portal
	CGO_ENABLED=1 go test -race -count=1 -timeout 60m -run TestADiff ./projections/compare -rapid.checks=$(SOAK_DIFFS)
	STRESS_TEST_COUNT=$(SOAK_WATERMILL) CGO_ENABLED=1 go test -race -tags stress -count=1 -timeout 60m -run TestPubSubStress ./eventstore/pubsub
	PORTAL_SOAK_REACTION_KILLS=$(SOAK_REACTION_KILLS) CGO_ENABLED=1 go test -race -count=1 -timeout 60m -v -run TestReactionsSurviveKills ./cmd/portal
	PORTAL_SOAK_REPLAY_KILLS=$(SOAK_REPLAY_KILLS) go test -count=1 -timeout 60m -v -run TestReplaySurvivesKills ./cmd/portal

.PHONY: plots
plots: ## draw the charts of docs/analysts from the real histories in ../shared/data
	PORTAL_PLOTS=1 go test -count=1 -timeout 15m -run TestTheRealHistories ./cmd/portal

.PHONY: fuzz
fuzz: ## fuzz every parser for FUZZ_TIME (10s) each
	@go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | while read -r package; do \
		for target in $$(go test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_TIME) "$$package"; \
		done; \
	done

.PHONY: storetest
storetest: ## compile the store's conformance suite to bin/storetest, which runs without a toolchain
	CGO_ENABLED=0 go test -c -trimpath -o bin/storetest ./eventstore/storetest

.PHONY: generate
generate: ## make the generated code anew
	go generate ./...

.PHONY: clean
clean: ## remove what was built, the installed tools and npm's packages too
	rm -rf bin .tools $(dir $(npm-modules))

# What follows are steps of the above; each can be run by its name.

.PHONY: setup
setup: machine $(npm-modules)

.PHONY: machine
machine:
	@.ci/install

%/node_modules/.package-lock.json: %/package-lock.json | machine
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: tidy-check
tidy-check:
	go mod tidy -diff

.PHONY: generate-check
generate-check:
	@state() { { git diff; git status --porcelain; } | sha256sum; }; \
	before=$$(state); go generate ./...; \
	[[ $$before == "$$(state)" ]] || { echo "generated code was out of date; it is fresh now: commit it"; exit 1; }

.PHONY: format-check
format-check: $(golangci-lint)
	$(golangci-lint) fmt --diff

.PHONY: vet
vet:
	go vet ./...

.PHONY: lint
lint: $(golangci-lint)
	$(golangci-lint) run

.PHONY: vulncheck
vulncheck: $(govulncheck)
	@.ci/vulncheck $(govulncheck)

$(golangci-lint):
	.ci/tool $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)

$(govulncheck):
	.ci/tool $@ golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK)
