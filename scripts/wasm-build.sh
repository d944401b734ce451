#!/usr/bin/env bash
# `npm run wasm`: builds rust/evm-core into src/wasm/evm-core.wasm and stamps it.
#
# Starts from a bare Debian machine. Debian's own rustc, because its rust-web packages carry what a wasm32 target without
# an installed standard library needs: the sources of `core` and `alloc`, which -Z build-std compiles along.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
packages=(rustc-web cargo-web rust-web-src lld binaryen)

fail() { echo "wasm: $*" >&2; exit 1; }

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

crate=rust/evm-core
target=${CARGO_TARGET_DIR:-$root/$crate/target}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
[ -f "$crate/Cargo.lock" ] || fail "$crate/Cargo.lock is missing: the build uses exactly what it names"
export RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc
# A toolchain chosen for other work must not leak in.
unset RUSTFLAGS RUSTUP_TOOLCHAIN RUSTC_WRAPPER || true

(cd "$crate" && /usr/bin/cargo fetch --locked)

# Panic messages name source files: they must not tell whose machine and which registry they came from.
flags=(-C linker=wasm-ld -C target-feature=+simd128,+bulk-memory "--remap-path-prefix=$root=/blockloom"
  "--remap-path-prefix=$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust=/rust")
for folder in "$cargo_home"/registry/src/*/; do
  [ -d "$folder" ] && flags+=("--remap-path-prefix=${folder%/}=/crates")
done
export CARGO_ENCODED_RUSTFLAGS
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")

before=$(node scripts/wasm-check.mjs --sources evm-core)
(cd "$crate" && CARGO_TARGET_DIR="$target" /usr/bin/cargo build --release --locked \
  --target wasm32-unknown-unknown -Z build-std=core,alloc)
[ "$before" = "$(node scripts/wasm-check.mjs --sources evm-core)" ] || fail "$crate changed during the build; run it again"

built=$target/wasm32-unknown-unknown/release/evm_core.wasm
for path in "$root" "$cargo_home"; do
  if grep -qaF "$path/" "$built"; then fail "$built contains the path $path"; fi
done
mkdir -p src/wasm
cp "$built" src/wasm/evm-core.wasm
chmod 644 src/wasm/evm-core.wasm
node scripts/wasm-check.mjs --write evm-core "$(/usr/bin/rustc --version)"
node scripts/wasm-check.mjs
