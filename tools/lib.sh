# Shared by tools/run, tools/test and tools/fuzz: system packages and the build. Talks on stderr only.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

build_packages=(g++ cmake ninja-build libdnnl-dev nlohmann-json3-dev libcli11-dev libfmt-dev
                libturbojpeg0-dev libpng-dev libxxhash-dev libprotobuf-dev protobuf-compiler libonnx-dev)
test_packages=(libboost-context-dev libgtest-dev libbenchmark-dev clang libclang-rt-14-dev clang-format python3)
python_packages=(python3 python3-venv python3-torch python3-torchvision chromium)

say() { echo "$*" >&2; }

# need_packages NAME...: installs what is missing, saying what; without root or apt it names the packages and stops.
need_packages() {
  local missing=() p
  for p in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=""
  if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
  if ! command -v apt-get >/dev/null || { [ -n "$sudo" ] && ! command -v sudo >/dev/null; }; then
    say "error: missing system packages, and no way to install them: ${missing[*]}"
    exit 5
  fi
  say "installing system packages: ${missing[*]}"
  $sudo apt-get update -qq >&2
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# build DIR CMAKE_ARGS... -- TARGETS...: configures when needed and builds; quiet unless something is compiled.
build() {
  local dir=$1 log cpu
  shift
  local cmake_args=()
  while [ "$1" != -- ]; do cmake_args+=("$1"); shift; done
  shift
  # The code is compiled for this CPU: a build folder that came from another one would end in illegal instructions.
  cpu=$(grep -m1 ^flags /proc/cpuinfo | cksum)
  if [ -f "$dir/cpu" ] && [ "$(cat "$dir/cpu")" != "$cpu" ]; then
    say "this build was made on another CPU: building anew"
    rm -rf "$dir"
  fi
  mkdir -p "$dir"
  echo "$cpu" >"$dir/cpu"
  log=$dir/configure.log
  if ! cmake -S "$root" -B "$dir" -G Ninja "${cmake_args[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi
  if [ -n "$(ninja -C "$dir" -n "$@" 2>/dev/null | grep -E '^\[[0-9]+/')" ]; then
    say "building $* in $dir"
  fi
  if ! ninja -C "$dir" "$@" >"$dir/build.log" 2>&1; then
    grep -E -A20 'FAILED|error' "$dir/build.log" | head -100 >&2
    exit 1
  fi
}
