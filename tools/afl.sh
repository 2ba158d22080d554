#!/bin/sh
# Runs the same targets under AFL++, one after the other, so many seconds each, and lists what they did.
# usage: tools/afl.sh SECONDS PROGRAM ...
# Inputs go to build/afl/out/NAME and stay there for the next time; seeds are those of tests/fuzz/corpus/NAME. Its exit status is 1 if one crashed or hung.
set -eu

seconds=$1
shift
status=0
export AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_AUTORESUME=1
printf '%-24s %14s %10s %8s  %s\n' target executions 'a second' inputs result
for program in "$@"; do
    name=$(basename "$program" | sed 's/^fuzz_//')
    out=build/afl/out/$name
    seeds=tests/fuzz/corpus/$name
    mkdir -p build/afl/out
    if [ ! -d "$seeds" ]; then
        seeds=build/afl/out/no-seed
        mkdir -p "$seeds" && printf 'x' >"$seeds/x"
    fi
    result=fine
    afl-fuzz -V "$seconds" -t 2000 -m none -i "$seeds" -o "$out" -- "$program" >"build/afl/$name.log" 2>&1 || {
        result="FAILED, see build/afl/$name.log"
        status=1
    }
    stats=$out/default/fuzzer_stats
    of() { sed -n "s/^$1 *: *//p" "$stats" 2>/dev/null; }
    found=$(find "$out/default/crashes" "$out/default/hangs" -type f -name 'id*' 2>/dev/null | wc -l)
    if [ "$found" -gt 0 ]; then
        result="FOUND $found, see $out/default"
        status=1
    fi
    printf '%-24s %14s %10s %8s  %s\n' "$name" "$(of execs_done)" "$(of execs_per_sec)" "$(of corpus_count)" "$result"
done
exit $status
