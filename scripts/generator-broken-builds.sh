#!/usr/bin/env bash
# Shows that the generator's tests notice what they are there to notice: on a copy of the project, each
# build that leaves one safety out must fail them. Exit 0: the whole build passes, all others were caught.
#
#   scripts/generator-broken-builds.sh             all of them
#   scripts/generator-broken-builds.sh no-escape   one of them
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
copy="$CARGO_TARGET_DIR/broken-generator"

# name | file | what stands there | what is put in its place | the test target | its tests
builds='no-escape|catalog-gen/src/escape.rs|letter => span.extend(letter.escape_unicode())|letter => span.push(letter)|tests generator_hostile|markdown_holds
no-bound|catalog-gen/src/report.rs|LONGEST_MARKDOWN: usize = 60_000|LONGEST_MARKDOWN: usize = 60_000_000|tests generator_hostile|markdown_fits
no-terminal|catalog-gen/src/escape.rs|letter => letter.escape_debug().collect()|letter => vec![letter]|tests generator_hostile|text_has
no-ascii|catalog-gen/src/escape.rs|letter if letter.is_ascii() =>|letter if letter.len_utf8() < 9 =>|tests generator_hostile|json_is
no-carry-over|catalog-runtime/src/transform.rs|gathered.carry_over(region);||tests generator_carry_over|no_subset
no-shrink-guard|catalog-gen/src/guards.rs|MOST_GONE_PERCENT: usize = 20|MOST_GONE_PERCENT: usize = 100|gen cli|guards
no-age|catalog-gen/src/bin/catalog-gen/check.rs|> args.max_age.as_secs()|> u64::MAX - args.max_age.as_secs()|gen cli|check
no-doubt|catalog-gen/src/bin/catalog-gen/fetch.rs|.expectations(expectations.clone())||gen cli|fetch
no-respect|catalog-gen/src/bin/catalog-gen/fetch.rs|if is_taken(&args.out)|if is_taken(std::path::Path::new("/nowhere"))|gen cli|fetch
no-pin|.github/workflows/ci.yml|checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8|checkout@v5|tests generator_workflows|every_action
no-quotes|.github/workflows/regenerate.yml|run: scripts/propose body.md|run: scripts/propose ${{ github.ref }}|tests generator_workflows|nothing_is'

fresh() {
    mkdir -p "$copy"
    git ls-files -z | tar --null --files-from - --create | tar --extract --directory "$copy"
}

run() { # package-and-target, filter
    local target=($1)
    local package="bedrock-catalog-${target[0]}"
    (cd "$copy" && cargo test --quiet --package "$package" --test "${target[1]}" "${@:2}" >/dev/null 2>&1)
}

fresh
echo "whole: must pass"
for target in "tests generator_hostile" "tests generator_carry_over" "tests generator_workflows" "gen cli"; do
    run "$target" || { echo "the whole build fails $target"; exit 1; }
done

missed=0
while IFS='|' read -r name file from to target filter; do
    [ $# = 0 ] || [[ " $* " = *" $name "* ]] || continue
    fresh
    FROM=$from TO=$to perl -0pi -e 's/\Q$ENV{FROM}\E/$ENV{TO}/' "$copy/$file"
    if cmp -s "$file" "$copy/$file"; then
        echo "$name: nothing was left out, so it shows nothing"
        missed=1
    elif ! run "$target" --no-run; then
        echo "$name: does not build, so it shows nothing"
        missed=1
    elif run "$target" "$filter"; then
        echo "$name: MISSED"
        missed=1
    else
        echo "$name: caught"
    fi
done <<<"$builds"
rm -rf "$copy"
exit $missed
