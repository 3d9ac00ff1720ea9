# The two commands that matter: `make test` is what CI runs, `make bench` prints
# the figures. Each step can be called alone; `make help` lists them.

GO       ?= go
BUILD    := build
PROGRAM  := ./cmd/muleteer
TOOL     := $(GO) tool -modfile=tools/go.mod
FUZZTIME ?= 5m
SHELL    := /bin/bash
say       = @printf '\n== %s\n'


.DEFAULT_GOAL := help
.PHONY: help build test bench nightly fmt clean \
        need node tools fmt-check vet lint cross vuln unit modules fuzz long \
        minio second

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the program, static, as build/muleteer
	$(say) 'build: $(BUILD)/muleteer, static'
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $(BUILD)/muleteer $(PROGRAM)

# One after another, so that what is printed can be read: cheap checks first.
test: ## everything that CI checks; installs what is missing with apt-get
	@start=$$SECONDS; \
	for step in need node tools fmt-check vet lint build cross modules vuln unit; do \
		$(MAKE) --no-print-directory $$step || exit; \
	done; \
	printf '\n== all passed in %d s\n' $$((SECONDS - start))

need: ## install with apt-get what the tests need and is not there
	$(say) 'need: programs that the tests run'
	@.ci/need

node: ## install the npm packages that the tests use
	$(say) 'node: the npm packages that the tests use'
	@for dir in test/node test/clients web web/browser; do \
		npm ci --prefix $$dir --no-audit --no-fund --loglevel=error || exit; \
	done

tools: ## build versitygw, the S3 server of the tests
	$(say) 'tools: versitygw, pinned in tools/versitygw/go.mod'
	CGO_ENABLED=0 $(GO) -C tools/versitygw build -trimpath -ldflags '-s -w' -o ../../$(BUILD)/versitygw github.com/versity/versitygw/cmd/versitygw

fmt: ## format all Go files
	@git ls-files -co --exclude-standard '*.go' | xargs gofmt -l -w

fmt-check: ## fail if a Go file is not formatted, and list it
	$(say) 'fmt-check: gofmt'
	@files=$$(find . \( -name node_modules -o -name '.?*' \) -prune -o -name '*.go' -print); \
	list=$$(gofmt -l $$files) || exit; \
	if [ -n "$$list" ]; then printf 'not formatted (run: make fmt):\n%s\n' "$$list"; exit 1; fi

vet: ## go vet
	$(say) 'vet: go vet'
	$(GO) vet ./...

lint: ## staticcheck
	$(say) 'lint: staticcheck, pinned in tools/go.mod'
	$(TOOL) staticcheck ./...

cross: ## build for the other systems
	$(say) 'cross: the program for macOS and Windows'
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null $(PROGRAM)
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null $(PROGRAM)

modules: ## check the modules beside the product's
	$(say) 'modules: bench/peers, tools and tools/versitygw'
	$(GO) -C bench/peers vet ./...
	$(GO) -C tools mod verify
	$(GO) -C tools/versitygw mod verify

vuln: ## govulncheck; a finding fails
	$(say) 'vuln: govulncheck, pinned in tools/go.mod'
	@.ci/vuln $(TOOL) govulncheck ./...

# The packages that take longest come first, so that none of them is alone at the end.
LONGEST := ./test ./web ./test/clients ./store/s3 ./web/browser ./store/disk ./cmd/muleteer

unit: ## all Go tests with the race detector
	$(say) 'unit: go test -race'
	$(GO) test -race -shuffle=on -p 2 -timeout 14m $(LONGEST) ./...

bench: ## measure against the targets; BENCH='-quick' for a first look
	$(say) 'bench: building the program, the peer and the load generator'
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD)/muleteer $(PROGRAM)
	CGO_ENABLED=0 $(GO) -C bench/peers build -trimpath -o ../../$(BUILD)/tusd .
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD)/bench ./bench
	@if command -v chromium >/dev/null && command -v npm >/dev/null; then \
		npm ci --prefix web/browser --no-audit --no-fund --loglevel=error; fi
	$(say) 'bench: measuring; results go to $(BUILD)/bench.json too'
	$(BUILD)/bench -muleteer $(BUILD)/muleteer -peer $(BUILD)/tusd -json $(BUILD)/bench.json $(BENCH)

nightly: test fuzz long second ## make test, then each fuzz target, the long variants, and S3 by MinIO

fuzz: ## each fuzz target for FUZZTIME (5m)
	$(say) 'fuzz: each target for $(FUZZTIME)'
	@.ci/fuzz $(FUZZTIME)

# MULETEER_LONG=1 is read by the tests that have a long variant; all others are
# repeated in another order.
long: ## the tests' long variants, three times over
	$(say) 'long: MULETEER_LONG=1, three times in other orders'
	MULETEER_LONG=1 $(GO) test -race -shuffle=on -count=3 -p 2 -timeout 60m ./...

# Not in make test: it fetches some 250 modules and compiles for minutes.
minio: ## build MinIO, the second S3 server of the tests
	$(say) 'minio: MinIO, pinned in tools/minio/go.mod'
	$(GO) -C tools/minio mod verify
	CGO_ENABLED=0 $(GO) -C tools/minio build -trimpath -ldflags '-s -w' -o ../../$(BUILD)/minio github.com/minio/minio

# -count=1: what was seen of the other server does not count.
second: minio ## what has to do with S3, once more, against MinIO
	$(say) 'second: MULETEER_TEST_S3=minio'
	MULETEER_TEST_S3=minio MULETEER_LONG=1 $(GO) test -race -shuffle=on -count=1 -p 1 -timeout 30m ./store/s3/... ./protocol/...
	MULETEER_TEST_S3=minio MULETEER_LONG=1 $(GO) test -race -shuffle=on -count=1 -timeout 60m -run 'S3|D[1-4]|Direct' ./test

clean: ## remove what was built
	rm -rf $(BUILD)
