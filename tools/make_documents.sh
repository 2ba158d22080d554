#!/bin/sh
# Makes the documents that come from the table of options. With --check it compares instead, and also looks whether the manual
# pages, the example configuration and the shell's completion are sound. usage: tools/make_documents.sh [--check] PROGRAM
set -eu
check=""
if [ "$1" = --check ]; then
    check=yes
    shift
fi
program=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# fill TEMPLATE MARK FILE: TEMPLATE with FILE in the place of the line MARK.
fill() {
    sed -e "/^$2\$/{r $3
d}" "$1"
}

"$program" config document >"$out/config.md"
"$program" config manual >"$out/manual"
"$program" config example >"$out/example"
fill docs/man/sinkhole.conf.5.in @OPTIONS@ "$out/manual" >"$out/sinkhole.conf.5"
sed '1,/^#$/d' conf/lists.conf >"$out/lists" # without the paragraph on how to use that file by itself
fill conf/sinkhole.conf.in @LISTS@ "$out/lists" >"$out/with_lists"
fill "$out/with_lists" @OPTIONS@ "$out/example" >"$out/sinkhole.conf"

failed=0
place() {
    if [ -z "$check" ]; then
        mkdir -p "$(dirname "$2")"
        cp "$1" "$2"
    elif ! diff -u "$2" "$1"; then
        echo "$2 is not what the program says; make documents"
        failed=1
    fi
}
place "$out/config.md" docs/config.md
place "$out/sinkhole.conf.5" docs/man/sinkhole.conf.5
place "$out/sinkhole.conf" conf/sinkhole.conf
[ -n "$check" ] || exit 0

for page in docs/man/sinkhole.8 docs/man/sinkhole.conf.5; do
    complaints=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$page" 2>&1 >/dev/null || echo "man failed")
    if [ -n "$complaints" ]; then
        echo "$page: $complaints"
        failed=1
    fi
done

"$program" config check conf/sinkhole.conf >/dev/null || failed=1
# With every comment sign in front of an option removed it is still valid: the defaults are values that the program takes.
sed -n 's/^#\([a-z-]* = .*\)/\1/p' "$out/example" >"$out/defaults.conf"
env -i "$program" config check "$out/defaults.conf" >/dev/null || failed=1
bash -n packaging/completions/sinkhole.bash || failed=1

# An option that nothing reads would be a lie.
for field in $(sed -n 's/^OPT("[a-z-]*", \([a-z0-9_]*\),.*/\1/p' src/config/options.def); do
    grep -rqE "(->|\.)$field\b" src/host src/api src/config/snapshot_fill.c src/config/catalogs.c || {
        echo "src/config/options.def: nothing reads $field"
        failed=1
    }
done

# Each command has its place in the manual.
for command in $("$program" help --words); do
    grep -q "^\.B.*[ ]\"*$command\b" docs/man/sinkhole.8 || {
        echo "docs/man/sinkhole.8 does not mention $command"
        failed=1
    }
done
exit $failed
