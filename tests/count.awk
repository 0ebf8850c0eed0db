#!/usr/bin/awk -f
# Cases passed, failed and skipped in a log of cargo test, pytest, node --test, or of our scripts (ok NAME, FAIL NAME, SKIP NAME).
/^test result: / { ok += $4; bad += $6 }
/^(# |ℹ )pass [0-9]+/ { ok += $3 }
/^(# |ℹ )fail [0-9]+/ { bad += $3 }
/^=*.*[0-9]+ (passed|failed|error)/ && !/^test result/ {
  for (i = 2; i <= NF; i++) {
    if ($i ~ /^passed,?$/ && $(i - 1) ~ /^[0-9]+$/) ok += $(i - 1)
    if ($i ~ /^(failed|errors?),?$/ && $(i - 1) ~ /^[0-9]+$/) bad += $(i - 1)
  }
}
/^ok [^0-9]/ { ok++ }
/^FAIL / { bad++ }
/^SKIP/ { skips++ }
END { print ok + 0, bad + 0, skips + 0 }
