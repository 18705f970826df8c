# What CI runs, in pieces. Nothing here is needed to use the exporter.
.PHONY: build test race lint ci
build:
	go build -o bin/exporter ./cmd/exporter
test:
	go test ./...
race:
	go test -race ./...
lint:
	go tool -modfile=.ci/tools.mod golangci-lint run ./...
ci:
	bash .ci/run
# The benchmarks print ratios worth comparing within one run only.
.PHONY: bench
bench:
	go test -run '^$$' -bench . -benchmem ./internal/...
