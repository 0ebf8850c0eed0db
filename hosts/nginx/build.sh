#!/usr/bin/env bash
# Builds the modules for the nginx whose sources are at SOURCE, into BUILD: build.sh SOURCE BUILD [FLAGS OF CONFIGURE...]
# LOADWISE_CC_OPT has flags for the compiler, such as those of a sanitizer.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
source=$1 build=$2
shift 2
flags=("$@")
[ -d "$source/auto" ] || { echo "SKIP nginx: no sources of nginx at $source: apt-get install nginx-dev"; exit 1; }
target=${CARGO_TARGET_DIR:-$root/target}
export LOADWISE_INCLUDE=$root/include LOADWISE_ARCHIVE
LOADWISE_ARCHIVE=${LOADWISE_ARCHIVE:-$(cd "$target/release" && pwd)/libloadwise.a}

mkdir -p "$build"
rm -rf "$build/src"
cp -r "$source" "$build/src"
cd "$build/src"
# Debian says here how its nginx was configured.
if [ -f conf_flags ]; then
  . ./conf_flags
  flags=("${NGX_CONF_FLAGS[@]}")
fi
configure=./configure
[ -f configure ] || configure=auto/configure
$configure "${flags[@]}" --with-stream=dynamic --with-cc-opt="-g -O2 -fPIC -Wall -Wextra -Werror -Wno-unused-parameter ${LOADWISE_CC_OPT:-}" \
  --with-ld-opt="-fPIC ${LOADWISE_CC_OPT:-}" --add-dynamic-module="$root/hosts/nginx" >configure.log 2>&1 || { tail -n 30 configure.log; exit 1; }
modules=(ngx_http_loadwise_module.so ngx_stream_loadwise_module.so)
make -s -f objs/Makefile "${modules[@]/#/objs/}"
cp "${modules[@]/#/objs/}" ..
