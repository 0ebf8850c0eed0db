# make bench          peers, floors and loadwise in one run: bench/RESULTS.md, bench/results.svg
# make bench QUICK=1  the same in under a minute, for a first look
# PYTHON and NODE name the interpreters that have loadwise installed.
.PHONY: bench
bench:
	cd bench && cargo run --release --locked -- $(if $(QUICK),--quick)
