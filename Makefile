# `make test` is what CI runs; `make` alone says what there is.

TOOLS := target/tools/bin
export CARGO_TERM_COLOR ?= auto

help: ## what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: ## the server, on 127.0.0.1:8484
	cargo run --release

deps: ## what the tests need and this machine lacks
	@tests/support/deps.sh

lint: deps ## format, clippy, docs, licences, unused dependencies
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet
	$(TOOLS)/cargo-deny --offline check --hide-inclusion-graph licenses bans sources
	$(TOOLS)/cargo-machete --with-metadata --skip-target-dir .

# Nextest stops a test that hangs; without it the same tests run under cargo's own runner.
test: deps lint ## everything
	@if command -v cargo-nextest >/dev/null; then \
		cargo nextest run --locked --workspace --no-fail-fast; \
	else \
		cargo test --locked --workspace --no-fail-fast; \
	fi

soak: deps ## minutes of faults, with every period as it is by default
	cargo test --locked --test promises -- --ignored --nocapture --test-threads=1 soak_
	cargo test --locked --lib balance_tests -- --nocapture

bench: ## what a request and a token cost: bench/RESULTS.md
	python3 bench/run.py

advisories: deps ## known vulnerabilities; asks the advisory database
	$(TOOLS)/cargo-deny check advisories

.PHONY: help run deps lint test soak bench advisories
