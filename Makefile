# make build      the static binary bin/zooraft
# make run        one server with defaults: port 2181, data in ./data
# make ensemble   three servers on this machine, ports 2181 to 2183; Ctrl-C stops them
# make check      format, vet, staticcheck, who imports whom
# make test       all tests that need nothing but Go (and a C compiler, for -race)
# make interop    the stock clients against a server; installs them first
# make fuzz       each fuzz test for FUZZTIME
# make bench      Go benchmarks, each BENCHCOUNT times

GO         ?= go
FUZZTIME   ?= 10s
BENCHCOUNT ?= 1
VERSION    ?= $(shell git describe --tags 2>/dev/null | sed 's/^v//')
COMMIT     ?= $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null)

# All files, those too that are built only on request.
TAGS        := interop,fault,bench
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The race detector needs cgo.
HAVE_CC := $(shell command -v $$($(GO) env CC) >/dev/null 2>&1 && echo yes)
RACE    := $(if $(HAVE_CC),-race)

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

.PHONY: all build run ensemble check format vet staticcheck imports test interop fuzz bench clean
all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false \
	  -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o bin/zooraft ./cmd/zooraft

run: build
	exec bin/zooraft server

ensemble: build
	exec configs/ensemble.sh bin/zooraft

check: format vet staticcheck imports

format:
	@files=$$(gofmt -l $$(find . -name '*.go' -not -path './.git/*')); \
	if [[ -n $$files ]]; then echo "not formatted; run gofmt -w on:"; echo "$$files"; exit 1; fi

vet:
	$(GO) vet ./...
	$(GO) vet -tags '$(TAGS)' ./...

staticcheck:
	$(GO) run $(STATICCHECK) -tags '$(TAGS)' ./...

imports:
	$(GO) test -count=1 -run 'TestImports|TestForbidden' ./tests

test:
ifeq ($(RACE),)
	@echo '*** no C compiler: THE RACE DETECTOR IS OFF. Install gcc to run the tests as they are meant. ***' >&2
endif
	$(GO) test $(RACE) -timeout 20m ./...

interop:
	bash tests/interop/setup.sh
	$(GO) test -v -count=1 -timeout 30m -tags interop ./tests/interop/...

fuzz:
	@for pkg in $$($(GO) list ./...); do \
	  for name in $$($(GO) test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$name"; \
	    $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
	  done; \
	done

bench:
	$(GO) test -run '^$$' -bench . -benchmem -count $(BENCHCOUNT) ./...

clean:
	rm -rf bin
