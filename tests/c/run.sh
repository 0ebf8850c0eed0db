#!/bin/sh
# Builds and runs the C and C++ tests: plain, under valgrind, and as programs of an installed library.
# Lines: `ok NAME`, `FAIL NAME`, `SKIP NAME: how to install`. In CI (CI set) nothing may be missing.
# Needs libloadwise.so of a release build: `make ffi`, which `make test-c` does.
set -u
cd "$(dirname "$0")/../.." || exit 1
libs=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd) || exit 1
work=$libs/../c-tests
mkdir -p "$work"
work=$(cd "$work" && pwd) || exit 1
failed=0
cflags="-std=gnu11 -O1 -g -Wall -Wextra -Werror -Iinclude"
cxxflags="-std=c++17 -O1 -g -Wall -Wextra -Wpedantic -Werror -Iinclude"
link="-L$libs -lloadwise -lpthread -ldl -lm -Wl,-rpath,$libs"
programs="pool told bad_input older policies waiting events inside engine learned threads fork callbacks without_pool reload
    shared shared_fork bad_segments allocations no_syscalls"

fail() { echo "FAIL $1"; failed=1; }
missing() { # NAME HOW
    if [ -n "${CI:-}" ]; then fail "$1: missing: $2"; else echo "SKIP $1: $2"; fi
}

export LOADWISE_LIBRARY="$libs/libloadwise.so"
ln -sf libloadwise.so "$libs/libloadwise.so.0"

built=
for name in $programs; do
    if cc $cflags "tests/c/$name.c" -o "$work/$name" $link; then built="$built $name"; else fail "c/build/$name"; fi
done
if c++ $cxxflags tests/c/raii.cpp -o "$work/raii" $link; then built="$built raii"; else fail "cpp/build/raii"; fi
if pkg-config --exists jansson; then
    if cc $cflags tests/c/vectors.c -o "$work/vectors" $link $(pkg-config --cflags --libs jansson); then
        built="$built vectors"
    else
        fail "c/build/vectors"
    fi
else
    missing c/vectors "apt-get install libjansson-dev"
fi

# The examples of docs/c.md.
example() { # NAME EXPORTER FLAGS...
    name=$1 exporter=$2
    shift 2
    awk -v exporter="$exporter" -f tests/c/docs.awk docs/c.md >"$work/$name.c"
    cc -std=gnu11 -O1 -g -Wall -Werror -Iinclude "$work/$name.c" -o "$work/$name" $link "$@"
}
if example docs-examples 0; then
    if "$work/docs-examples" >"$work/docs-examples.out"; then echo "ok c/docs/examples"; else fail c/docs/examples; fi
else
    fail c/docs/examples
fi
if pkg-config --exists jansson; then
    if example docs-exporter 1 $(pkg-config --cflags --libs jansson) &&
        "$work/docs-exporter" | grep -qxF 'loadwise.default.10.0.0.1:8080.in_flight:0|g'; then
        echo "ok c/docs/exporter"
    else
        fail c/docs/exporter
    fi
else
    missing c/docs/exporter "apt-get install libjansson-dev"
fi

# The header alone, in the oldest dialects it is for.
for dialect in "cc -std=c99 -xc" "c++ -std=c++11 -xc++"; do
    name="c/header as $(echo "$dialect" | sed 's/.*-std=\([^ ]*\).*/\1/')"
    if echo '#include <loadwise.h>' | $dialect -fsyntax-only -Wall -Wextra -Wpedantic -Werror -Iinclude -; then
        echo "ok $name"
    else
        fail "$name"
    fi
done

for name in $built; do
    "$work/$name" || failed=1
done

if command -v valgrind >/dev/null; then
    for name in $built; do
        # They count in malloc, which valgrind replaces, and forbid calls of the system, which it makes.
        case $name in allocations | no_syscalls) continue ;; esac
        # A forked child has what the parent's other threads held, and nobody to free it.
        leaks=full
        case $name in fork | shared_fork) leaks=no ;; esac
        # Unfair scheduling lets a thread that never blocks keep the others from ever running.
        if valgrind -q --fair-sched=yes --error-exitcode=9 --leak-check=$leaks --errors-for-leak-kinds=definite,indirect \
            "$work/$name" >"$work/$name.valgrind" 2>&1; then
            echo "ok c/valgrind/$name"
        else
            fail "c/valgrind/$name"
            tail -n 40 "$work/$name.valgrind" | sed 's/^/# /'
        fi
    done
else
    missing c/valgrind "apt-get install valgrind"
fi

# As a program of an installed library.
prefix=$work/prefix
rm -rf "$prefix"
if make -s -f ffi/ffi.mk install PREFIX="$prefix" >"$work/install.log" 2>&1; then
    echo "ok c/install"
    export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
    connects() { # NAME PROGRAM
        case $(LD_LIBRARY_PATH="$prefix/lib" "$2") in
            "connect to 10.0.0."[12]":8080") echo "ok $1" ;;
            *) fail "$1" ;;
        esac
    }
    # The programs of docs/c.md, built as it says.
    program() { awk -v fence="\`\`\`$1" '$0 == fence { on = 1; text = ""; next } /^```/ { if (on && text ~ /int main/) printf "%s", text; on = 0 } on { text = text $0 "\n" }' docs/c.md; }
    program c >"$work/docs.c"
    program cpp >"$work/docs.cpp"
    if cc -Wall -Werror "$work/docs.c" -o "$work/docs-c" $(pkg-config --cflags --libs loadwise); then
        connects "c/docs by pkg-config" "$work/docs-c"
    else
        fail "c/docs by pkg-config"
    fi
    if c++ -std=c++17 -Wall -Werror "$work/docs.cpp" -o "$work/docs-cpp" $(pkg-config --cflags --libs loadwise); then
        connects "cpp/docs by pkg-config" "$work/docs-cpp"
    else
        fail "cpp/docs by pkg-config"
    fi
    if cc "$work/docs.c" -o "$work/installed-static" $(pkg-config --cflags loadwise) "$prefix/lib/libloadwise.a" \
        $(pkg-config --static --libs-only-l loadwise | sed 's/-lloadwise//'); then
        connects c/static "$work/installed-static"
    else
        fail c/static
    fi
    if command -v cmake >/dev/null; then
        rm -rf "$work/cmake" "$work/project"
        mkdir "$work/project"
        cp "$work/docs.c" "$work/docs.cpp" tests/c/installed/CMakeLists.txt "$work/project"
        if cmake -S "$work/project" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log" 2>&1 &&
            cmake --build "$work/cmake" >>"$work/cmake.log" 2>&1; then
            for program in shared archive cxx; do
                connects "c/cmake/$program" "$work/cmake/$program"
            done
        else
            fail c/cmake
            tail -n 20 "$work/cmake.log" | sed 's/^/# /'
        fi
    else
        missing c/cmake "apt-get install cmake ninja-build"
    fi
    make -s -f ffi/ffi.mk uninstall PREFIX="$prefix"
    if [ -z "$(find "$prefix" ! -type d)" ]; then echo "ok c/uninstall"; else fail c/uninstall; fi
else
    fail c/install
    tail -n 20 "$work/install.log" | sed 's/^/# /'
fi
exit $failed
