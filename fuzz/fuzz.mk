# make fuzz                     each target for a minute with AddressSanitizer
# make fuzz SECONDS_EACH=600    longer
# make fuzz SANITIZER=none      twice as fast, for disagreements with the model
# What is found to be new goes to fuzz/found/, what fails to fuzz/artifacts/; fuzz/corpus/ is where all begin.
.PHONY: fuzz
SECONDS_EACH ?= 60
SANITIZER ?= address
FUZZ_TARGETS ?= config pool_ops abi reload segment
# Sanitizers need a switch that the stable compiler keeps to itself.
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || { echo 'cargo-fuzz is missing: cargo install cargo-fuzz --locked'; exit 1; }
	@for target in $(FUZZ_TARGETS); do \
	  mkdir -p fuzz/found/$$target || exit 1; \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir fuzz -s $(SANITIZER) $$target fuzz/found/$$target fuzz/corpus/$$target -- \
	    -max_total_time=$(SECONDS_EACH) -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
	    $$(test -e fuzz/$$target.dict && echo -dict=fuzz/$$target.dict) || exit 1; \
	done
