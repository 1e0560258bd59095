# Sampan: the targets of a working day. `make` alone lists them.

SHELL         := bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Everything that is downloaded or built for the tests only. Safe to delete.
CACHE := $(CURDIR)/.cache

STATICCHECK_VERSION := v0.8.2
STATICCHECK         := $(CACHE)/bin/staticcheck-$(STATICCHECK_VERSION)

# Every Go module of the repository. Each is tested without the workspace, as somebody who depends on it
# would see it.
MODULES := $(sort $(patsubst %/go.mod,%,$(shell find . -name go.mod -not -path './.cache/*' \
	-not -path '*/node_modules/*' -not -path '*/testdata/*')))

# How long each fuzz target runs in `make fuzz-smoke`.
FUZZTIME ?= 5s

# How long each fuzz target runs in `make fuzz-long`.
FUZZLONG ?= 1h

# How often a broker is ended in each part of `make crash`.
CRASHES ?= 50

# Limit a run of the tests to some packages: make unit race PKG=./packet/...
PKG ?= ./...

define each_module
	for module in $(MODULES); do \
		echo "--- $$module: $(1)"; \
		(cd $$module && export GOWORK=off && $(1)) || exit 1; \
	done
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the binary: bin/sampan
	go build -o bin/sampan ./cmd/sampan

.PHONY: demo
demo: ## the whole story in one process, as a transcript
	go run ./cmd/sampan demo

.PHONY: test
test: deps lint portable unit race fuzz-smoke ## everything: install what is needed, lint, other systems, tests, race detector, a short run of every fuzz target

.PHONY: deps
deps: ## install what the tests use: Debian packages (as root or with sudo), Go modules, npm packages
	@.ci/install

.PHONY: unit
unit: ## the tests of every module
	@$(call each_module,go test $(PKG))

.PHONY: race
race: ## the tests under the race detector, without the long ones
	@$(call each_module,go test -race -short $(PKG))

.PHONY: lint
lint: tools ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './.cache/*' -not -path '*/node_modules/*')); \
	if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	@$(call each_module,go vet ./...)
	@$(call each_module,$(STATICCHECK) ./...)

.PHONY: portable
portable: ## that library and binary build for 32-bit ARM and for macOS
	@for system in linux/arm darwin/arm64; do \
		for module in . cmd; do \
			echo "--- $$module: $$system"; \
			(cd $$module && GOWORK=off GOOS=$${system%/*} GOARCH=$${system#*/} go build ./...) || exit 1; \
		done; \
	done

.PHONY: fuzz-smoke
fuzz-smoke: ## run every fuzz target for FUZZTIME (5s each)
	@.ci/fuzz-smoke $(FUZZTIME) $(MODULES)

.PHONY: fuzz-long
fuzz-long: ## run every fuzz target for FUZZLONG (1h each), two at once; goes on where it was interrupted
	@.ci/fuzz-long $(FUZZLONG) $(MODULES)

.PHONY: mutants
mutants: ## put known bugs into the broker and see that the session target finds them (ten minutes)
	go run ./fuzz/mutants

.PHONY: bench
bench: ## the Go benchmarks, once
	@$(call each_module,go test -run '^$$' -bench . -benchmem $(PKG))

.PHONY: benchmarks
benchmarks: ## docs/benchmarks.md: Sampan beside other brokers, in an hour; RECORD=--quick takes 12 minutes
	go run ./bench/record $(RECORD)

# The loads of which default.pgo is a profile, each as long.
PROFILED := fanout-10 fanout-100 fanout-1000 fanout-100-single fanout-10-qos1 fanout-100-qos1 fanout-1000-qos1 \
	fanin-100 fanin-100-qos1 pairs-500 pairs-500-qos1 wildcard-1000 everyday connect-clean connect-clean

.PHONY: pgo
pgo: build ## record anew the profile that the compiler optimises the binary for: cmd/sampan/default.pgo
	@mkdir -p $(CACHE)/pgo
	@rm -f $(CACHE)/pgo/*
	@n=0; for cell in $(PROFILED); do \
		n=$$((n + 1)); \
		bin/sampan bench $$cell --warmup 300ms --duration 3s --command "bin/sampan serve --profile open --durability memory \
			--api off --log-level warn --listen mqtt://{addr} --cpu-profile $(CACHE)/pgo/$$n" >/dev/null 2>&1 || true; \
		echo "$$cell"; \
	done
	go tool pprof -proto $(CACHE)/pgo/* >cmd/sampan/default.pgo

.PHONY: crash
crash: build ## the proof of durability: process kills at os and disk, power cuts at disk (CRASHES of each, 50)
	bin/sampan crash --kills $(CRASHES) --durability os
	bin/sampan crash --kills $(CRASHES) --durability disk
	bin/sampan crash --kills $(CRASHES) --durability os --min-interval 1ms --max-interval 60ms
	bin/sampan crash --kills $(CRASHES) --power-cuts
	bin/sampan crash --kills $(CRASHES) --power-cuts --min-interval 1ms --max-interval 60ms

.PHONY: durable
durable: build ## durable publishing over TCP beside other brokers, and recovery after a kill (five minutes)
	cd bench/durable && GOWORK=off go run . -sampan ../../bin/sampan

.PHONY: tools
tools: $(STATICCHECK) ## install the pinned tools into .cache

$(STATICCHECK):
	@mkdir -p $(dir $@)
	GOBIN=$(dir $@) GOWORK=off go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@mv $(dir $@)staticcheck $@

.PHONY: clients
clients: $(CACHE)/clients/node_modules/.complete ## install the npm clients that the tests use into .cache

$(CACHE)/clients/node_modules/.complete: cmd/clients/node/package.json cmd/clients/node/package-lock.json
	@mkdir -p $(CACHE)/clients
	cp $^ $(CACHE)/clients/
	cd $(CACHE)/clients && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: clean
clean: ## remove what was built
	rm -rf bin $(CACHE)
