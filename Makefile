# make build      the static binary bin/zooraft
# make run        one server with defaults: port 2181, data in ./data
# make ensemble   three servers on this machine, ports 2181 to 2183, admin servers on 8080 to 8082; Ctrl-C stops them
# make check      format, vet, staticcheck, who imports whom
# make test       all tests that need nothing but Go (and a C compiler, for -race)
# make interop    the stock clients against a server; installs them first. INTEROP=full takes some minutes more for
#                 whole applications; tests/interop/doc.go says which. And the web console in a browser
# make console    the web console's pages, server/console/assets, from their sources; takes node and npm
# make console-check  the same, and fails if that changes what is committed
# make differential  made-up requests to a ZooKeeper and to Zooraft, replies compared, for DIFFER_TIME from DIFFER_SEED on
# make fuzz       each fuzz test for FUZZTIME
# make bench      Zooraft beside ZooKeeper, in some minutes; BENCH=full takes half an hour and more. tests/bench/doc.go
#                 says what can be chosen; results.json and report.html go to BENCH_OUT
# make bench-docs takes the results of a full run over into docs/benchmarks
# make pgo        the profile by which the compiler optimizes the server, cmd/zooraft/default.pgo, from those loads; some
#                 minutes, and the machine should do nothing else. Once in a while, not at each change
# make microbench Go benchmarks, each BENCHCOUNT times

GO         ?= go
FUZZTIME   ?= 10s
DIFFER_TIME ?= 30m
BENCHCOUNT ?= 1
BENCH      ?= quick
BENCH_OUT  ?= bench-results
INTEROP    ?= quick
VERSION    ?= $(shell git describe --tags 2>/dev/null | sed 's/^v//')
COMMIT     ?= $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null)

# All files, those too that are built only on request.
TAGS        := interop
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# A test that fails is run once more, by itself, and the summary names it: most of ours drive whole processes against
# the clock, on machines that are busy with other things. Never forgiven are data races, panics, more failures than
# three, and histories that break a rule (tests/fault).
GOTESTSUM := gotest.tools/gotestsum@v1.13.0
GOTEST     = $(GO) run $(GOTESTSUM) --format pkgname --format-icons text --format-hide-empty-pkg \
  --rerun-fails=1 --rerun-fails-max-failures 3 --rerun-fails-run-root-test --rerun-fails-abort-on-data-race

# The race detector needs cgo.
HAVE_CC := $(shell command -v $$($(GO) env CC) >/dev/null 2>&1 && echo yes)
RACE    := $(if $(HAVE_CC),-race)

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

.PHONY: all build run ensemble check format vet staticcheck imports test interop console console-check differential fuzz bench bench-docs pgo microbench clean
all: build

# minimal keeps gonum's plots from bringing every format they could be drawn in.
build:
	CGO_ENABLED=0 $(GO) build -tags minimal -trimpath -buildvcs=false \
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
	cd tests/kubernetes && $(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) -tags '$(TAGS)' ./...

imports:
	$(GO) test -count=1 -run 'TestImports|TestForbidden' ./tests

# What is below tests builds the program, and reads deploy, unseen by Go's cache of results.
test:
ifeq ($(RACE),)
	@echo '*** no C compiler: THE RACE DETECTOR IS OFF. Install gcc to run the tests as they are meant. ***' >&2
endif
	@status=0; \
	$(GOTEST) --packages "$$($(GO) list ./... | grep -v '^zooraft/tests')" -- $(RACE) -timeout 20m || status=$$?; \
	$(GOTEST) --packages ./tests/... -- -count=1 $(RACE) -timeout 20m || status=$$?; \
	(cd tests/kubernetes && $(GO) test -count=1 ./...) || status=$$?; \
	exit $$status

interop: export ZOORAFT_INTEROP := $(INTEROP)
interop:
	bash tests/interop/setup.sh
	$(GOTEST) --packages ./tests/interop/... -- -count=1 -timeout 30m -tags interop
	$(GOTEST) --packages ./tests/console -- -count=1 -timeout 10m -tags interop

# None of the packages needs its install script.
console:
	cd server/console/ui && npm ci --ignore-scripts --loglevel=error && npm run --silent check && npm run --silent build

console-check: console
	@git diff --exit-code --stat -- server/console/assets && [[ -z $$(git ls-files --others -- server/console/assets) ]] || \
	  { echo 'server/console/assets is not what its sources make: run make console'; exit 1; }

differential:
	bash tests/interop/setup.sh
	DIFFER_TIME='$(DIFFER_TIME)' $(GO) test -v -count=1 -timeout 24h -tags interop -run 'TestScripts|TestGenerated' ./tests/interop

# Making an interesting input smaller takes up to a minute of the time, unless told otherwise: of the slower tests
# nothing else would be left.
fuzz:
	@for pkg in $$($(GO) list ./...); do \
	  for name in $$($(GO) test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$name"; \
	    $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$pkg"; \
	  done; \
	done

# Within its directory go test shows what a test prints at once. A report is made of what was measured even if a
# request failed.
bench: build
	bash tests/interop/setup.sh
	@export ZOORAFT_BENCH=1 ZOORAFT_BIN='$(abspath bin/zooraft)' BENCH='$(BENCH)' BENCH_OUT='$(abspath $(BENCH_OUT))'; \
	status=0; \
	(cd tests/bench && $(GO) test -count=1 -timeout 3h -run '^TestCompare$$') || status=$$?; \
	bin/zooraft bench report -o "$$BENCH_OUT/report.html" "$$BENCH_OUT/results.json" && \
	  echo "$$BENCH_OUT/report.html"; \
	exit $$status

# The text of docs/benchmarks/README.md down to its mark stays, what follows is made anew.
bench-docs: build
	cp '$(BENCH_OUT)/results.json' '$(BENCH_OUT)/report.html' docs/benchmarks/
	@cd docs/benchmarks && mark='<!-- tables -->' && grep -qxF "$$mark" README.md && \
	{ sed "/^$$mark$$/q" README.md; echo; ../../bin/zooraft bench report --markdown results.json | sed 's/^##* /#&/'; } > README.md.new && \
	mv README.md.new README.md

# The server is built with the profile of before, which has little influence on the next one.
pgo: build
	cd tests/bench && ZOORAFT_PGO='$(abspath cmd/zooraft/default.pgo)' ZOORAFT_BIN='$(abspath bin/zooraft)' \
	  $(GO) test -count=1 -timeout 30m -run '^TestProfile$$'

microbench:
	$(GO) test -run '^$$' -bench . -benchmem -count $(BENCHCOUNT) ./...

clean:
	rm -rf bin
