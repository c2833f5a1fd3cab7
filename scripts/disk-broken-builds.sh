#!/bin/sh
# Shows that the disk tier's tests notice what they are there to notice: each build that leaves a
# safety step out must fail them. Exit 0: all were caught, and the whole build passes.
#
#   scripts/disk-broken-builds.sh            no-fsync no-nofollow no-checksum
#   scripts/disk-broken-builds.sh no-fsync   one of them
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
tests() {
    cargo test --quiet --package bedrock-catalog --lib --test disk_faults --test disk_hostile --test disk_privileged -- "$@"
}

echo "whole: must pass"
tests disk a_ an_ no_ folders files bombs >/dev/null 2>&1 || { echo "the whole build fails its tests"; exit 1; }

missed=0
for broken in ${*:-no-fsync no-nofollow no-checksum}; do
    case $broken in
    no-fsync) catches=a_write_syncs ;;
    no-nofollow) catches=an_entry ;;
    no-checksum) catches=no_ ;;
    *) echo "unknown broken build: $broken"; exit 2 ;;
    esac
    if ! CARGO_TARGET_DIR="$target/broken" RUSTFLAGS="${RUSTFLAGS:-} --cfg broken=\"$broken\"" \
        cargo test --quiet --package bedrock-catalog --lib --test disk_faults --test disk_hostile --test disk_privileged --no-run >/dev/null 2>&1; then
        echo "$broken: does not build, so it shows nothing"
        missed=1
    elif CARGO_TARGET_DIR="$target/broken" RUSTFLAGS="${RUSTFLAGS:-} --cfg broken=\"$broken\"" \
        tests "$catches" >/dev/null 2>&1; then
        echo "$broken: MISSED"
        missed=1
    else
        echo "$broken: caught"
    fi
done
exit $missed
