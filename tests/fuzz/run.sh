#!/usr/bin/env bash
# Feeds every parser that meets the outside with anything:
#
#   bash tests/fuzz/run.sh                     every target for 5 seconds
#   bash tests/fuzz/run.sh 600                 ten minutes each
#   bash tests/fuzz/run.sh 60 proof token      these two, a minute each
#
# Builds once, writes the seeds, runs the targets one after the other, and prints a
# table. What was found is kept in tests/fuzz/artifacts/TARGET/, and
# `bash tests/fuzz/run.sh 0 TARGET FILE` runs it again. Exits with 1 on a finding,
# with 77 where a tool is missing (nothing was run then).
#
# No sanitizer: the crates forbid unsafe code, and the C in them (aws-lc) is not
# built with one, so it would find nothing and cost half of the executions. It would
# also need a nightly compiler; without it, the one that builds the product will do.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
tools="${COUNTERSIGN_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/countersign/tools}"
export PATH="$tools/bin:$PATH"

# A parser that takes a second for 8 KiB is a finding.
timeout_secs=5
# Far above what any of them holds on to.
memory_mib_max=1024

main() {
  local seconds="${1:-5}" target
  (($# == 0)) || shift
  need cargo-fuzz "tests/tools/install.sh cargo-fuzz installs it"
  need c++ "on Debian: apt-get install g++"

  # Crates behave as they are shipped, without `cfg(fuzzing)`; several units of code at
  # once, for the build's sake.
  cargo fuzz build --fuzz-dir . --sanitizer none --no-cfg-fuzzing --codegen-units 16
  programs="target/$(rustc -vV | sed -n 's/^host: //p')/release"
  "$programs/seeds" seeds

  if [[ "$seconds" == 0 ]]; then
    exec "$programs/$1" -timeout="$timeout_secs" "$2"
  fi
  local targets=("$@") failed=0
  ((${#targets[@]})) || mapfile -t targets < <(basename -s .rs targets/*.rs)
  printf '\n%-12s %12s %9s  %s\n' target executions coverage result
  for target in "${targets[@]}"; do
    feed "$target" "$seconds" || failed=$((failed + 1))
  done
  # The form that cargo's tests end in: .ci/run counts it.
  printf '\ntest result: %s. %d passed; %d failed; 0 ignored; fuzz targets, %s s each\n' \
    "$( ((failed)) && echo FAILED || echo ok)" $((${#targets[@]} - failed)) "$failed" "$seconds"
  ((failed == 0))
}

# feed TARGET SECONDS: one line of the table, and the log's end where something was found.
feed() {
  local target="$1" seconds="$2" log result=ok
  log="$(mktemp)"
  mkdir -p "corpus/$target" "artifacts/$target"
  # Not in the shell's own group of processes alone: what is fed may end by a signal.
  "$programs/$target" -max_total_time="$seconds" -timeout="$timeout_secs" -rss_limit_mb="$memory_mib_max" \
    -print_final_stats=1 -artifact_prefix="artifacts/$target/" "corpus/$target" "seeds/$target" \
    >"$log" 2>&1 || result=FOUND
  printf '%-12s %12s %9s  %s\n' "$target" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
    "$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -d ' ' -f 2)" "$result"
  if [[ "$result" != ok ]]; then
    grep -aE -A 3 'panicked at|ERROR: libFuzzer|Test unit written' "$log" | sed 's/^/    /' || tail -n 20 "$log"
  fi
  rm -f "$log"
  [[ "$result" == ok ]]
}

need() {
  command -v "$1" >/dev/null && return
  printf 'NOT RUN: fuzzing needs %s; %s\n' "$1" "$2" >&2
  exit 77
}

main "$@"
