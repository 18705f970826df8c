# What CI runs, in pieces. Nothing here is needed to use the exporter.
.PHONY: build test race lint ci
build:
	go build -o bin/exporter ./cmd/exporter
test:
	go test ./...
# SQLite's engine is C in Go's clothes, with memory of its own: the race detector can see nothing there, and makes it ten
# times as slow.
RACED = ./...
race:
	go test -race -gcflags='modernc.org/sqlite/lib=-race=false' $(RACED)
lint:
	go tool -modfile=.ci/tools.mod golangci-lint run ./...
ci:
	bash .ci/run
# Speed beside the limits of the machine, as docs/performance.md has it (BENCH="-rows 100000 -rounds 1" for a first look);
# and the parts, each for itself (MICROBENCH="-benchtime 1x" for a first look). Ratios are worth comparing within one run only.
.PHONY: bench microbench
bench: build
	go run ./internal/bench $(BENCH)
microbench:
	go test -run '^$$' -bench . -benchmem $(MICROBENCH) ./internal/...
# The long form of the tests that nothing is lost: their figures at the end. They take tests whose names begin so.
.PHONY: reliability fuzz
RELIABILITY = ^Test(Reliability|Kill|Network|Soak)
reliability:
	bash .ci/reliability '$(RELIABILITY)'
# A minute for each fuzz target.
fuzz:
	bash .ci/fuzz 1m
