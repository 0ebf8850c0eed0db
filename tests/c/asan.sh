#!/bin/sh
# The C and C++ tests with AddressSanitizer and its leak checker, in the library and in the programs alike.
# The nightly switch works on the stable compiler for this command alone.
set -eu
cd "$(dirname "$0")/../.."
target=$(rustc -vV | sed -n 's/^host: //p')
dir=${CARGO_TARGET_DIR:-target}/asan-c
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" cargo build -q --locked -p loadwise-ffi --target "$target" --target-dir "$dir"
archive=$dir/$target/debug/libloadwise.a
flags="-g -O1 -Wall -Wextra -Werror -Iinclude -fsanitize=address"
libs="$archive -lpthread -ldl -lm"
failed=0
programs="pool told bad_input older policies waiting events inside engine learned threads fork callbacks without_pool
    shared shared_fork bad_segments no_syscalls"
for name in $programs; do
    cc -std=gnu11 $flags "tests/c/$name.c" -o "$dir/$name" $libs
done
c++ -std=c++17 $flags tests/c/raii.cpp -o "$dir/raii" $libs
programs="$programs raii"
if pkg-config --exists jansson; then
    cc -std=gnu11 $flags tests/c/vectors.c -o "$dir/vectors" $libs $(pkg-config --cflags --libs jansson)
    programs="$programs vectors"
else
    echo "SKIP c/asan/vectors: apt-get install libjansson-dev"
fi
for name in $programs; do
    # A forked child has what the parent's other threads held, and nobody to free it.
    leaks=1
    case $name in fork | shared_fork) leaks=0 ;; esac
    if ASAN_OPTIONS=detect_leaks=$leaks "$dir/$name" >"$dir/$name.log" 2>&1; then
        echo "ok c/asan/$name"
    else
        echo "FAIL c/asan/$name"
        tail -n 40 "$dir/$name.log" | sed 's/^/# /'
        failed=1
    fi
done
exit $failed
