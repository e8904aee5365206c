# make NAME: what usher's developers run. CI runs `check` and `systems`.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod
USHER_VULNDB ?= file://$(CURDIR)/.cache/vulndb
FUZZTIME ?= 10s

.PHONY: help demo build check fmt vet lint vuln generated test race systems soak bench accuracy fuzz golden docs

help: ## list what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: ## see it all: a shop, its provider and usher in one process
	$(GO) run ./cmd/usher demo $(ARGS)

build: ## build the program into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/usher ./cmd/usher

check: fmt vet lint vuln generated race ## what CI runs: format, vet, lint, vulnerabilities, generated files, tests with -race

fmt: ## the format is gofumpt's
	@out=$$($(TOOL) gofumpt -l . ); if [ -n "$$out" ]; then echo "not formatted, run 'go tool -modfile=tools/go.mod gofumpt -w .':"; echo "$$out"; exit 1; fi

vet: ## go vet
	$(GO) vet ./...

lint: ## staticcheck
	$(TOOL) staticcheck ./...

vuln: ## known vulnerabilities in what is linked
	@if [[ "$(USHER_VULNDB)" == file://$(CURDIR)/.cache/* ]]; then mkdir -p .cache/vulndb && tar -xzf tools/vulndb.tar.gz -C .cache/vulndb; fi
	$(TOOL) govulncheck -db $(USHER_VULNDB) ./...

generated: ## generated files are what the generators give
	@before=$$(cat catalog/zz_data.go docs/reference/* | sha256sum); \
	$(MAKE) --no-print-directory docs >/dev/null; \
	after=$$(cat catalog/zz_data.go docs/reference/* | sha256sum); \
	if [ "$$before" != "$$after" ]; then echo "generated files are old: run 'make docs' and commit"; exit 1; fi

test: ## all tests that need Go alone
	$(GO) test ./...

race: ## the tests with the race detector; the hostile ones run the built program and measure it, without
	$(GO) test -race $$($(GO) list ./... | grep -v /test/)
	$(GO) test ./test/accuracy/... ./test/hostile/... ./test/broker/...

systems: ## real failures and mistakes of real providers and clients, the whole story, pages in a real browser; the state on PostgreSQL; installs what is missing from Debian, Keycloak from Maven Central
	@lacks=; need() { command -v "$$1" >/dev/null || lacks="$$lacks $${*:2}"; }; \
	need node nodejs; need npm npm; need chromium chromium; need java openjdk-17-jre-headless; need mvn maven; need glewlwyd glewlwyd dbconfig-no-thanks; \
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null || lacks="$$lacks postgresql"; \
	if [ -n "$$lacks" ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$lacks; fi
	USHER_SYSTEMS=require $(GO) test -count=1 -timeout 30m ./test/postgres ./store ./serve
	USHER_SYSTEMS=require $(GO) test -count=1 -timeout 30m -run 'Postgres' ./test/broker
	USHER_SYSTEMS=require $(GO) test -count=1 -timeout 30m ./test/systems/...

soak: ## long runs: every fuzz target for five minutes, many planted secrets, 20,000 rounds of the broker, its whole week
	USHER_SOAK=1 $(GO) test -timeout 60m ./test/hostile/... ./store ./broker/credential
	USHER_SOAK=1 USHER_SYSTEMS=1 USHER_ROUNDS=1000 $(GO) test -count=1 -timeout 180m ./test/broker
	$(MAKE) fuzz FUZZTIME=5m

bench: ## the benchmarks of the rooms that an answer goes through
	GOGC=400 $(GO) test -run '^$$' -bench . -benchmem ./oauth ./token ./ingest ./evidence ./check/... ./provider/... ./diagnose ./casebook ./store ./report ./broker/... ./test/broker

accuracy: ## how often the first answer is right, on the labelled failures
	$(GO) run ./test/accuracy $(ARGS)

fuzz: ## every fuzz target for FUZZTIME
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

golden: ## renew golden files; read the difference before you commit it
	$(GO) test ./report -update
	USHER_UPDATE=1 $(GO) test ./cmd/usher -run TestScripts

docs: ## generate the catalog's code and the reference pages
	cd catalog && $(GO) run ./gen
	$(GO) run ./cmd/usher explain --list --format markdown > docs/reference/causes.md.tmp && mv docs/reference/causes.md.tmp docs/reference/causes.md
	$(GO) run ./test/reference
