# From a bare machine (Python 3.11 or newer with venv, a Rust toolchain with a C linker, make, git) every target
# does what it needs: a virtual environment in .venv, the packages, the crate in release mode. A second call is quick.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
# The build tool of .venv comes first; rustup may have put cargo where a shell started for this call does not look.
export PATH := $(CURDIR)/.venv/bin:$(PATH):$(HOME)/.cargo/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MATURIN_NO_INSTALL_RUST := 1

BIN := .venv/bin
CRATE := core/Cargo.toml
CRATE_SOURCES := $(CRATE) $(wildcard core/Cargo.lock core/build.rs) $(shell find core/src -name '*.rs' 2>/dev/null)
CARGO := cargo --locked
# What holds the compiled module to the reference and to plain joins.
BACKEND_TESTS := tests/test_official_vectors.py tests/test_vectors.py tests/test_reference.py tests/test_session.py
# Under which name `make bench` keeps its results, how often it runs each way, and what else it is told.
MACHINE ?= this-machine
REPEAT ?= 5
BENCH_OPTIONS ?=
# Three at a time, since many wait for processes of their own, whichever is next; times are measured elsewhere.
IN_PARALLEL := -q -n 3 --dist worksteal -p no:benchmark
# What is tried of a wheel: that it is whole. The rest is no other code than what is tested in place.
WHEEL_TESTS := $(addprefix tests/,test_official_vectors.py test_vectors.py test_cli_errors.py test_gate.py)
SMALL := --requests 20000 --records 20000 --matches 750

.PHONY: help demo dev check test test-slow bench vectors wheel clean
.PHONY: static lint fast-tests covered-tests crate crate-lint crate-tests crate-test-programs vectors-check wheel-tests small-demo

help: ## say what there is
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.run ## two parties, 1,280,000 rows each, one overlap of 47,489
	$(BIN)/psi demo

dev: .venv/.dev ## install in place with everything that developing needs

check: static fast-tests ## before every commit: format, lint, types, stub, clippy, import graph, fast tests

# Two things at a time, since much of each uses one core or waits for the network.
test: ## everything: what CI calls
	$(MAKE) -j2 .venv/.dev crate
	$(MAKE) -j2 wheel-tests lint vectors-check small-demo
	$(MAKE) covered-tests

test-slow: test ## and at a million items and more, with overflow checks, by every backend that can run here
	$(BIN)/python -m pytest -q --scale
	$(CARGO) test --manifest-path $(CRATE)
	for backend in portable avx2 avx512; do \
	  if PSI_BACKEND=$$backend $(BIN)/python -c 'from psi import _core; _core.backend()' 2>/dev/null; then \
	    echo "make: backend $$backend"; \
	    PSI_BACKEND=$$backend $(CARGO) test -q --manifest-path $(CRATE) --profile tested; \
	    PSI_BACKEND=$$backend $(BIN)/python -m pytest -q $(BACKEND_TESTS); \
	  else echo "make: this processor cannot run the backend $$backend: left out" >&2; fi; \
	done

bench: .venv/.dev .venv-peers/.done ## this tool beside other ways and other systems, 1.28 million rows: about twenty minutes
	rm -rf bench-run/$(MACHINE)
	$(BIN)/python -m benchmarks compare $(MACHINE) --repeat $(REPEAT) --out bench-run/$(MACHINE) $(BENCH_OPTIONS)

vectors: .venv/.dev ## write the vectors of the specification anew
	$(BIN)/python protocol_spec/generate.py

wheel: .venv/.dev $(CRATE_SOURCES) ## one wheel for this platform, in dist/
	rm -rf dist
	$(BIN)/maturin build --release --locked --out dist

clean: ## remove what was built; the files people made stay
	rm -rf .venv .venv-peers dist build core/target psi/_core*.so

# --- parts -------------------------------------------------------------------------------------------------------

static: lint crate-lint

lint: .venv/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy psi protocol_spec/reference benchmarks demos
	$(BIN)/python -m mypy.stubtest psi._core

# What there is to do for the crate by itself, one after another.
crate: .venv/bin/python
	$(MAKE) crate-test-programs
	$(MAKE) crate-lint
	$(MAKE) crate-tests

crate-lint: .venv/bin/python
	if cargo fmt --version >/dev/null 2>&1; then cargo fmt --manifest-path $(CRATE) --check; \
	else echo "make: rustfmt is not installed, its check is left out" >&2; fi
	if cargo clippy --version >/dev/null 2>&1; then \
	  $(CARGO) clippy -q --manifest-path $(CRATE) --profile tested --all-targets --features python -- -D warnings; \
	else echo "make: clippy is not installed, its check is left out" >&2; fi

fast-tests: .venv/.dev
	$(BIN)/python -m pytest $(IN_PARALLEL) -m "not slow"

covered-tests: .venv/.dev
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest $(IN_PARALLEL) --durations=10
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=95

crate-test-programs: .venv/bin/python
	$(CARGO) test -q --no-run --manifest-path $(CRATE) --profile tested

crate-tests: crate-test-programs
	$(CARGO) test --manifest-path $(CRATE) --profile tested

vectors-check: .venv/.dev
	$(BIN)/python protocol_spec/generate.py --check

# The wheel is tried where the repository is not: a fresh environment, a copy of the tests and of the specification.
wheel-tests: wheel
	trial=$$(mktemp -d) && trap 'rm -rf "$$trial"' EXIT && \
	cp -R tests protocol_spec pyproject.toml "$$trial" && \
	$(PYTHON) -m venv "$$trial/venv" && \
	wheel=$$(ls dist/*.whl) && \
	"$$trial/venv/bin/pip" install -q "$$wheel[test]" && \
	cd "$$trial" && \
	venv/bin/psi --version && \
	venv/bin/python -P -m pytest $(IN_PARALLEL) -m "not slow and not repo" $(WHEEL_TESTS) && \
	venv/bin/psi demo --quiet $(SMALL) --out "$$trial/demo"

small-demo: .venv/.run
	trial=$$(mktemp -d) && trap 'rm -rf "$$trial"' EXIT && $(BIN)/psi demo $(SMALL) --out "$$trial/demo"

# --- the environment ----------------------------------------------------------------------------------------------

.venv/bin/python:
	@command -v cargo >/dev/null || { echo "make: a Rust toolchain (rustc 1.89 or newer) is needed: see rustup.rs or your system's packages" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed; PYTHON=python3.12 make ... chooses one" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.tools: .venv/bin/python pyproject.toml
	$(BIN)/pip install -q 'maturin>=1.13,<2'
	touch $@

# Installed in place: the compiled module lies beside psi/__init__.py, and Python sources need no second install.
.venv/.run: .venv/.tools pyproject.toml $(CRATE_SOURCES)
	$(BIN)/pip install -q --no-build-isolation --editable '.[report]'
	touch $@

.venv-peers/.done: .venv/.dev benchmarks/peers/systems.py
	$(BIN)/python -m benchmarks.peers install
	touch $@

.venv/.dev: .venv/.run pyproject.toml
	$(BIN)/pip install -q --no-build-isolation --editable '.[dev]'
	touch $@
