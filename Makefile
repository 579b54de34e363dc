# Two commands matter: `make run` and `make test`. Both do all set-up themselves and are quick the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .make
EXTENSION := rtc/_dataplane.abi3.so
CRATE := $(shell find rtc/dataplane/src -name '*.rs' 2>/dev/null) rtc/dataplane/Cargo.toml rtc/dataplane/Cargo.lock

.PHONY: dataplane
dataplane: $(EXTENSION)

$(EXTENSION): $(CRATE)
	cargo build --release --features python --manifest-path rtc/dataplane/Cargo.toml
	cp rtc/dataplane/target/release/lib_dataplane.so $@.new && mv $@.new $@
