#!/usr/bin/env bash
# Builds the cache without a safeguard and shows that its tests notice. A build that passes is the failure here.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/broken"

RUSTFLAGS='--cfg broken="no-single-flight"' cargo test --package bedrock-catalog --lib --no-run
if RUSTFLAGS='--cfg broken="no-single-flight"' cargo test --package bedrock-catalog --lib --quiet -- cache::tests::flight; then
    echo "no-single-flight: the tests did NOT notice" >&2
    exit 1
fi
echo "no-single-flight: the tests noticed"
