#!/usr/bin/env bash
# `npm run wasm`: builds the kernels of rust/ into src/wasm and stamps them. `npm run wasm -- hash-core` builds those that
# are named; without a name, those whose stamp does not fit their sources.
#
# Starts from a bare Debian machine. Debian's own rustc, because its rust-web packages carry what a wasm32 target without
# an installed standard library needs: the sources of `core` and `alloc`, which -Z build-std compiles along.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
packages=(rustc-web cargo-web rust-web-src lld binaryen)

fail() { echo "wasm: $*" >&2; exit 1; }

# A kernel's file, its crate and its target features.
crate_of() {
  case $1 in
    evm-core) echo evm-core ;;
    hash-core | hash-core-scalar) echo hash-core ;;
    *) return 1 ;;
  esac
}
features_of() {
  case $1 in
    hash-core-scalar) echo '+bulk-memory,-simd128' ;;
    *) echo '+simd128,+bulk-memory' ;;
  esac
}

kernels=()
for name in "$@"; do
  crate_of "$name" >/dev/null || fail "knows no '$name': evm-core, hash-core, hash-core-scalar"
  # One crate's files belong together: both are built or none.
  if [ "$name" = evm-core ]; then kernels+=(evm-core); else kernels+=(hash-core hash-core-scalar); fi
done
if [ $# = 0 ]; then
  mapfile -t kernels < <(node scripts/wasm-check.mjs --stale)
  [ ${#kernels[@]} -gt 0 ] || { node scripts/wasm-check.mjs; exit; }
fi

missing=0
for tool in /usr/bin/rustc /usr/bin/cargo; do [ -x "$tool" ] || missing=1; done
command -v wasm-ld >/dev/null || missing=1
if [ "$missing" = 0 ]; then
  sysroot=$(/usr/bin/rustc --print sysroot)
  [ -e "$sysroot/lib/rustlib/src/rust/library/core" ] || missing=1
fi
if [ "$missing" = 1 ]; then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "wasm: installing ${packages[*]}" >&2
    apt-get update >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" >&2
  else
    fail "needs the Debian packages ${packages[*]} (as root: apt-get install ${packages[*]})"
  fi
fi

cargo_home=${CARGO_HOME:-$HOME/.cargo}
export RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc
# A toolchain chosen for other work must not leak in.
unset RUSTFLAGS RUSTUP_TOOLCHAIN RUSTC_WRAPPER || true

build() {
  local kernel=$1 crate target before built
  crate=$(crate_of "$kernel")
  target=${CARGO_TARGET_DIR:-$root/rust/$crate/target}
  [ -f "rust/$crate/Cargo.lock" ] || fail "rust/$crate/Cargo.lock is missing: the build uses exactly what it names"
  (cd "rust/$crate" && /usr/bin/cargo fetch --locked)

  # Panic messages name source files: they must not tell whose machine and which registry they came from.
  local flags=(-C linker=wasm-ld -C "target-feature=$(features_of "$kernel")" "--remap-path-prefix=$root=/blockloom"
    "--remap-path-prefix=$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust=/rust")
  for folder in "$cargo_home"/registry/src/*/; do
    [ -d "$folder" ] && flags+=("--remap-path-prefix=${folder%/}=/crates")
  done
  export CARGO_ENCODED_RUSTFLAGS
  CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")

  before=$(node scripts/wasm-check.mjs --sources "$kernel")
  (cd "rust/$crate" && CARGO_TARGET_DIR="$target" /usr/bin/cargo build --release --locked \
    --target wasm32-unknown-unknown -Z build-std=core,alloc)
  [ "$before" = "$(node scripts/wasm-check.mjs --sources "$kernel")" ] || fail "rust/$crate changed during the build; run it again"

  built=$target/wasm32-unknown-unknown/release/${crate//-/_}.wasm
  for path in "$root" "$cargo_home"; do
    if grep -qaF "$path/" "$built"; then fail "$built contains the path $path"; fi
  done
  mkdir -p src/wasm
  cp "$built" "src/wasm/$kernel.wasm"
  chmod 644 "src/wasm/$kernel.wasm"
  node scripts/wasm-check.mjs --write "$kernel" "$(/usr/bin/rustc --version)"
}

for kernel in "${kernels[@]}"; do build "$kernel"; done
node scripts/wasm-check.mjs
