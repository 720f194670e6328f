# Shared by the scripts in tools/: where things are, and how to speak. To be sourced by bash.

set -euo pipefail

LIMPET_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${LIMPET_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/limpet}"
export LIMPET_CACHE
: "${LIMPET_JOBS:=$(nproc 2>/dev/null || echo 2)}"

say() { printf 'limpet: %s\n' "$*"; }

die() {
  printf 'limpet: error: %s\n' "$*" >&2
  exit 1
}

# The system's own interpreter, since its packages (python3-protobuf) are made for it.
python3_path() {
  if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else command -v python3; fi
}

# preset -> the target its libraries are built for: a sanitizer needs no libraries of its own.
deps_target() {
  case $1 in
    host | host-*) echo host ;;
    *) echo "$1" ;;
  esac
}

# The hash of standard input, short enough for a file name.
short_hash() { sha256sum | cut -c1-16; }
