# Shared by the scripts in tools/: where things are, and how to speak. To be sourced by bash.

set -euo pipefail

LIMPET_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${LIMPET_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/limpet}"
[[ $LIMPET_CACHE == /* ]] || LIMPET_CACHE=$PWD/$LIMPET_CACHE
export LIMPET_CACHE
: "${LIMPET_JOBS:=$(nproc 2>/dev/null || echo 2)}"
LIMPET_VENV=$LIMPET_CACHE/venv

say() { printf 'limpet: %s\n' "$*"; }

die() {
  printf 'limpet: error: %s\n' "$*" >&2
  exit 1
}

# Not all libraries can be built below such a path; the checkout's own may have blanks.
[[ $LIMPET_CACHE != *[[:space:]]* ]] || die "LIMPET_CACHE is '$LIMPET_CACHE': choose a path without blanks"

usage() {  # The comment block at a script's head is its help.
  sed -n '2,/^[^#]/{/^#/{s/^# \{0,1\}//;p;};}' "$0"
}

# The system's own interpreter, since its packages (python3-protobuf) are made for it.
python3_path() {
  if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else command -v python3; fi
}

# preset -> the target its libraries are built for: a sanitizer needs no libraries of its own, but a
# fuzzer is to see into those that parse what comes from outside.
deps_target() {
  case $1 in
    host | host-*) echo host ;;
    *) echo "$1" ;;
  esac
}

fuzzers() {  # NAME of each tests/fuzz_NAME.cc.
  (cd "$LIMPET_ROOT/tests" && ls fuzz_*.cc) | sed 's/^fuzz_//; s/\.cc$//'
}

# The C compiler of a clang that comes with libFuzzer and sanitizers; the C++ one has ++ after `clang`.
fuzz_compiler() {
  local name work status=1
  work=$(mktemp -d)
  echo 'int LLVMFuzzerTestOneInput(const char* text, long size) { return size < 0 && *text; }' >"$work/a.c"
  for name in clang-{22..15} clang clang-14; do
    if command -v "$name" >/dev/null && command -v "${name/clang/clang++}" >/dev/null &&
      "$name" -fsanitize=fuzzer,address,undefined "$work/a.c" -o "$work/a" 2>/dev/null; then
      command -v "$name"
      status=0
      break
    fi
  done
  rm -rf "$work"
  return "$status"
}

# The hash of standard input, short enough for a file name.
short_hash() { sha256sum | cut -c1-16; }

presets() {  # The names that CMakePresets.json offers.
  (cd "$LIMPET_ROOT" && cmake --list-presets 2>/dev/null) | sed -n 's/^ *"\([^"]*\)".*/\1/p'
}

# Configures build/PRESET with its libraries; the sources have to be there. What has been compiled before,
# in whatever folder, comes out of a cache where the machine has ccache.
configure() {  # preset
  local prefix compiler launcher options=()
  prefix=$("$LIMPET_ROOT/tools/build-deps" "$1") || return 1
  options=("-DLIMPET_DEPS_PREFIX=$prefix")
  if launcher=$(command -v ccache); then
    # By the version, since Zig's compilers are scripts, and their name does not tell that they are clang.
    launcher="env;CCACHE_DIR=$LIMPET_CACHE/ccache;CCACHE_MAXSIZE=1G;CCACHE_COMPILERCHECK=%compiler% --version;$(
      )CCACHE_BASEDIR=$LIMPET_ROOT;CCACHE_NOHASHDIR=1;CCACHE_SLOPPINESS=pch_defines,time_macros;$(
      )$([[ $1 != *-linux-* ]] || echo 'CCACHE_COMPILERTYPE=clang;')$launcher"
    options+=("-DCMAKE_C_COMPILER_LAUNCHER=$launcher" "-DCMAKE_CXX_COMPILER_LAUNCHER=$launcher")
  fi
  if [ "$1" = fuzz ]; then
    compiler=$(fuzz_compiler) || return 1
    options+=("-DCMAKE_C_COMPILER=$compiler" "-DCMAKE_CXX_COMPILER=$(sed 's/clang\([^/]*\)$/clang++\1/' <<<"$compiler")")
  fi
  if [ -d /usr/src/googletest ]; then
    options+=(-DLIMPET_TESTS=ON)
    if [ -x "$LIMPET_VENV/bin/python" ]; then
      options+=("-DLIMPET_TEST_PYTHON=$LIMPET_VENV/bin/python")
    fi
  else
    options+=(-DLIMPET_TESTS=OFF)
  fi
  (cd "$LIMPET_ROOT" && cmake --preset "$1" "${options[@]}" --log-level=WARNING) >/dev/null
}
