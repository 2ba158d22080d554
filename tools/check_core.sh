#!/bin/sh
# Links the core, and each of its modules, into one relocatable object and lists what stays undefined: the core makes no
# system call, reads no clock, takes no lock, starts no thread, allocates nothing.
#   check_core.sh LD NM SYMBOLS ARCHIVE...       archives named libMODULE.a; a release build
set -eu

ld=$1 nm=$2 symbols=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Undefined symbols of the archives, linked together.
undefined() {
    "$ld" -r -o "$work/core.o" --whole-archive "$@"
    "$nm" -u "$work/core.o" | awk '{print $NF}' | sort -u
}

module_of() {
    basename "$1" .a | sed 's/^lib//'
}

# allowed SYMBOL MODULE: is there a row for it?
allowed() {
    awk -v symbol="$1" -v module="$2" '
        /^#/ || NF == 0 { next }
        {
            hit = $1 ~ /\*$/ ? index(symbol, substr($1, 1, length($1) - 1)) == 1 : symbol == $1
            if (hit && (NF == 1 || index("," $2 ",", "," module ","))) { found = 1 }
        }
        END { exit !found }' "$symbols"
}

undefined "$@" >"$work/all"
bad=0
for archive in "$@"; do
    module=$(module_of "$archive")
    [ "$("$nm" "$archive" 2>/dev/null | wc -l)" -gt 0 ] || continue
    undefined "$archive" >"$work/one"
    # What no other module of the core defines either.
    for symbol in $(comm -12 "$work/one" "$work/all"); do
        if ! allowed "$symbol" "$module"; then
            echo "check-core: src/$module uses $symbol, which is not in $symbols"
            bad=1
        fi
    done
done
[ $bad = 0 ] && echo "check-core: ok, $(wc -l <"$work/all") symbols from outside"
exit $bad
