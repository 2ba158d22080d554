#!/bin/sh
# Runs libFuzzer targets one after the other, so many seconds each, and lists what they did.
# usage: tools/fuzz.sh SECONDS PROGRAM ...
# New inputs go to build/fuzz/corpus/NAME, beginning with those of tests/fuzz/corpus/NAME, which stay as they are.
# What fails is kept in build/fuzz/found/NAME-*; its exit status is 1 then.
set -eu

seconds=$1
shift
status=0
printf '%-24s %14s %10s %8s  %s\n' target executions 'a second' inputs result
for program in "$@"; do
    name=$(basename "$program" | sed 's/^fuzz_//')
    corpus=build/fuzz/corpus/$name
    log=build/fuzz/$name.log
    seeds=tests/fuzz/corpus/$name
    mkdir -p "$corpus" build/fuzz/found
    [ -d "$seeds" ] || seeds=
    result=fine
    ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1 \
        "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/found/$name-" "$corpus" $seeds >"$log" 2>&1 || {
        result="FAILED, see $log"
        status=1
    }
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    printf '%-24s %14s %10s %8s  %s\n' "$name" "${executions:-?}" "${rate:-?}" "$(find "$corpus" -type f | wc -l)" "$result"
done
exit $status
