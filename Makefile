# make test      everything that must hold; a missing tool is a SKIP with the line that installs it
# make demo      real servers under nginx, a Python gateway, a Node router and a C program that share one state
# make install   library, headers, pkg-config and CMake package, and the loadwise command into PREFIX
# make dist      wheel and npm tarballs into dist/
# make bench     peers, floors and loadwise in one run
# make loom | sanitize | fuzz    longer looks at concurrency, memory and input

.PHONY: all test rust lint test-sockets loom sanitize dist clean
.DEFAULT_GOAL := all

include ffi/ffi.mk
include cli/cli.mk
include bindings-python/python.mk
include bindings-node/node.mk
include bench/bench.mk
include hosts/nginx/nginx.mk
include demo/demo.mk
include tests/kill/kill.mk
-include fuzz/fuzz.mk

all: ffi

test:
	tests/run.sh

rust:
	cargo test --locked -p loadwise

lint:
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

# The scenarios of docs/policies.md on real servers, through the Python wheel that test-python installed.
test-sockets: $(PYTHON_READY)
	$(PYTHON_IN_VENV) -m pip install -q --force-reinstall --no-deps dist/loadwise-*.whl
	$(PYTHON_IN_VENV) -m pytest -q -p no:cacheprovider tests/sockets

# Every interleaving of a few threads on leases, plans and rows; mutants must fail.
loom:
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom LOOM_MAX_PREEMPTIONS=3 \
	  cargo test --locked --release -p loadwise --lib models

sanitize:
	ci/sanitize.sh

dist: wheel npm-dist

clean:
	cargo clean
	rm -rf build dist
