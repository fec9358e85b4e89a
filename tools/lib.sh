# Shared by tools/run, tools/test and tools/fuzz: system packages and the build. Talks on stderr only.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

build_packages=(g++ cmake ninja-build libdnnl-dev nlohmann-json3-dev libcli11-dev libfmt-dev
                libjpeg62-turbo-dev libpng-dev libxxhash-dev libprotobuf-dev protobuf-compiler libonnx-dev libopenmpi-dev openmpi-bin)
test_packages=(libboost-context-dev libgtest-dev clang libclang-rt-14-dev libomp-14-dev clang-format python3)
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

# show_progress WHAT <NINJA_OUTPUT: once something is compiled, says WHAT; then on a terminal ninja's last line, rewritten
# in place, otherwise the count, every ten seconds.
show_progress() {
  local line rc said="" count="[0/...]" columns start=$SECONDS next=$((SECONDS + 10))
  columns=$(stty size <&2 2>/dev/null | cut -d' ' -f2)
  [ "${columns:-0}" -gt 1 ] || columns=80
  while :; do
    rc=0
    IFS= read -r -t 1 line || rc=$?
    [ $rc -eq 0 ] || [ $rc -gt 128 ] || break  # above 128: nothing came within the second
    [[ $line =~ ^\[[0-9]+/[0-9]+\] && $line != *"] Re-"* ]] || line=""  # of the build, not of looking for new files
    if [ -z "$said" ] && { [ -n "$line" ] || [ $((SECONDS - start)) -ge 3 ]; }; then
      said=yes
      say "$1"
    fi
    if [ -n "$line" ]; then
      count=${line%%]*}]
      [ ! -t 2 ] || printf '\r\033[K%s' "${line:0:columns - 1}" >&2
    fi
    if [ ! -t 2 ] && [ $SECONDS -ge $next ]; then
      say "$count after $((SECONDS - start)) s"
      next=$((SECONDS + 10))
    fi
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
}

# The code is compiled for this CPU: a build folder that came from another one would end in illegal instructions.
discard_foreign_build() {
  local dir=$1 cpu
  cpu=$(grep -m1 ^flags /proc/cpuinfo | cksum)
  if [ -f "$dir/cpu" ] && [ "$(cat "$dir/cpu")" != "$cpu" ]; then
    say "this build was made on another CPU: building anew"
    rm -rf "$dir"
  fi
  mkdir -p "$dir"
  echo "$cpu" >"$dir/cpu"
}

# gpu_targets NVCC: what kernels for the visible GPUs are compiled for, as "86-real;90a-real"; nothing without a GPU that
# they run on, "all" where a GPU does not say what it is or nvcc does not know it.
gpu_targets() {
  local caps cap sm targets=""
  if ! caps=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | sort -u); then
    if compgen -G '/dev/nvidia[0-9]*' >/dev/null; then echo all; fi
    return 0
  fi
  for cap in $caps; do
    sm=${cap/./}
    if ! "$1" --list-gpu-code 2>/dev/null | grep -qx "sm_$sm"; then
      echo all
      return 0
    fi
    [ "${cap%.*}" -ge 8 ] || continue
    [ "$sm" != 90 ] || sm=90a  # its matrix instructions are in no other target
    targets+=";$sm-real"
  done
  echo "${targets#;}"
}

# engine_options DIR: sets `options`, what CMake is told of DIR where only the engine is wanted. A folder that is configured
# keeps what it has, so that tools/run and tools/test share one; EB_CUDA=ON or OFF overrides.
engine_options() {
  local nvcc targets all="EB_CUDA=ON tools/run ... compiles them for every GPU"
  options=()
  discard_foreign_build "$1"
  [ -f "$1/CMakeCache.txt" ] || options=(-DEB_TESTS=OFF -DEB_UNITY=ON)
  if [ -n "${EB_CUDA:-}" ]; then
    options+=("-DEB_CUDA=$EB_CUDA" -UEB_CUDA_ARCHITECTURES)
  elif [ ! -f "$1/CMakeCache.txt" ]; then
    nvcc=${CUDACXX:-$(command -v nvcc || true)}
    targets=${nvcc:+$(gpu_targets "$nvcc")}
    case $targets in
      "") options+=(-DEB_CUDA=OFF) ;;
      all) options+=(-DEB_CUDA=ON) ;;
      *) options+=(-DEB_CUDA=ON "-DEB_CUDA_ARCHITECTURES=$targets") ;;
    esac
    if [ -z "$nvcc" ]; then
      say "no nvcc: building without CUDA kernels (with nvcc on PATH, $all)"
    elif [ -z "$targets" ]; then
      say "no GPU of compute capability 8.0 or above: building without CUDA kernels ($all)"
    elif [ "$targets" = all ]; then
      say "building CUDA kernels for every GPU: nvidia-smi does not name one that nvcc knows"
    else
      say "building CUDA kernels for this machine's GPU only, $targets ($all)"
    fi
  fi
}

# build DIR CMAKE_ARGS... -- TARGETS...: configures when needed and builds; quiet unless something is compiled.
build() {
  local dir=$1 log
  shift
  local cmake_args=()
  while [ "$1" != -- ]; do cmake_args+=("$1"); shift; done
  shift
  discard_foreign_build "$dir"
  log=$dir/configure.log
  if ! cmake -S "$root" -B "$dir" -G Ninja "${cmake_args[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi
  if ! NINJA_STATUS='[%f/%t] ' ninja -C "$dir" "$@" 2>&1 | tee "$dir/build.log" | show_progress "building $* in $dir"; then
    grep -E -A20 'FAILED|error' "$dir/build.log" | head -100 >&2
    exit 1
  fi
}
