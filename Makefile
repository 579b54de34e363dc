# Two commands matter: `make run` and `make test`. Both do all set-up themselves and are quick the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .make
EXTENSION := rtc/_dataplane.abi3.so
CRATE := $(shell find rtc/dataplane/src -name '*.rs') rtc/dataplane/Cargo.toml rtc/dataplane/Cargo.lock
WEB := $(shell find web -name node_modules -prune -o -name dist -prune -o -type f -print)
STATIC := signaling/http/static/index.html
CARGO := cargo
MANIFEST := --manifest-path rtc/dataplane/Cargo.toml

.PHONY: build run test check bench dataplane web tools clean dist
.DELETE_ON_ERROR:

build: $(STAMPS)/python $(EXTENSION) $(STATIC)

run: build
	$(BIN)/hubbub serve --dev

test: build $(STAMPS)/system $(STAMPS)/node-tests
	$(CARGO) test --locked --quiet $(MANIFEST)
	npm --prefix web test
	$(BIN)/pytest

check: build
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest rtc._dataplane --mypy-config-file pyproject.toml
	$(CARGO) fmt --check $(MANIFEST)
	$(CARGO) clippy --locked --all-targets $(MANIFEST) -- -D warnings
	$(CARGO) clippy --locked --features python $(MANIFEST) -- -D warnings
	npm --prefix web run check

bench: build $(STAMPS)/system
	$(BIN)/python -m benchmarks.forward

# A wheel that needs neither Rust nor Node.js where it is installed.
dist: build
	$(BIN)/maturin build --release --locked --out dist

dataplane: $(EXTENSION)
web: $(STATIC)

clean:
	rm -rf $(VENV) $(STAMPS) $(EXTENSION) signaling/http/static rtc/dataplane/target web/node_modules web/*/node_modules dist

# Names every missing tool with the command that installs it, before anything is built.
tools:
	@PYTHON=$(PYTHON) scripts/require-tools

$(STAMPS)/python: pyproject.toml constraints.txt | tools
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=26'
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --group dev
	. $(BIN)/activate && PIP_CONSTRAINT=constraints.txt maturin develop --release --locked --quiet
	mkdir -p $(STAMPS) && touch $@

$(EXTENSION): $(CRATE) | $(STAMPS)/python
	. $(BIN)/activate && maturin develop --release --locked --quiet --skip-install
	touch $@

$(STAMPS)/npm: web/package.json web/package-lock.json | tools
	npm --prefix web ci --no-audit --no-fund
	mkdir -p $(STAMPS) && touch $@

$(STATIC): $(STAMPS)/npm $(WEB)
	npm --prefix web run build
	touch $@

$(STAMPS)/node-tests: tests/node/package.json tests/node/package-lock.json | tools
	npm --prefix tests/node ci --no-audit --no-fund
	mkdir -p $(STAMPS) && touch $@

# What only the tests need: a browser and the real servers.
$(STAMPS)/system: scripts/system-packages
	scripts/system-packages
	mkdir -p $(STAMPS) && touch $@
