#!/bin/sh
# make run: starts the program for a first look, on ports that need no rights. Arguments are added to its own.
# usage: tools/run.sh PROGRAM [OPTION...]
set -eu
program=$1
shift
state=build/run
mkdir -p "$state"

listen="--listen 127.0.0.1:5300"
also=""
if grep -q '^00000000000000000000000000000001 ' /proc/net/if_inet6 2>/dev/null; then
    listen="$listen --listen [::1]:5300"
    also=" and [::1]:5300"
fi
cat <<TEXT
DNS        127.0.0.1:5300$also, UDP and TCP
           try: dig @127.0.0.1 -p 5300 doubleclick.net
           or:  $program query doubleclick.net @127.0.0.1:5300
dashboard  http://127.0.0.1:8080 (the password is printed below at the first start; delete $state for a new one)
state      $state
stop       Ctrl-C

TEXT
# shellcheck disable=SC2086 # no blanks in the addresses
exec "$program" run --config /dev/null $listen --http 127.0.0.1:8080 --state-dir "$state" --user none "$@"
