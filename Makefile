# Refit. `make help` lists what there is. Targets that need the lab run as root on Debian 12 or newer.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build test fast-test lab-test matrix lint demo demo-down bench clean

SCENARIO ?= upgrade

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Release binaries: refit, refit-controller, refit-agent
	integration/toolchain.sh
	cargo build --release --workspace --bins

test: ## Everything: lint, unit, property and simulated tests, then scenarios on real hosts (root)
	integration/test.sh all

fast-test: ## Lint, unit, property and simulated tests only
	integration/test.sh fast

lab-test: ## Scenarios on real hosts only (root); ONLY=name runs those whose name contains it
	integration/test.sh lab $(ONLY)

matrix: ## The crash matrix, simulated and (root) on real hosts, resumable; writes docs/crash-matrix.md
	integration/matrix.sh

lint: ## Formatting and clippy
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings

demo: ## Upgrade a real three-member group under load (root); SCENARIO=kill-controller, SCENARIO=unwind
	integration/demo.sh $(SCENARIO)

demo-down: ## Remove every trace of the demo
	LAB_NAME=demo integration/lab/lab.sh down

bench: ## The same upgrade by a naive script, a careful script and Refit, as ratios (root)
	integration/bench.sh

clean: ## Remove build output, labs and their caches
	integration/lab/lab.sh clean
	cargo clean
