# make bench          peers, floors and loadwise in one run: bench/RESULTS.md, bench/results.svg
# make bench QUICK=1  the same in about two minutes, for a first look; of Python and Node only what is installed already
BENCH_PYTHON = $(CURDIR)/build/python-bench/bin/python

.PHONY: bench
bench: $(if $(QUICK),,bench-python-env npm $(NODE_PEERS))
	PYTHON=$(BENCH_PYTHON) cargo run --release --manifest-path bench/Cargo.toml -- $(if $(QUICK),--quick)
