#!/bin/sh
# Installs what is missing of the Debian packages that the build (build) or the tests (test) need, to fuzz and measure coverage (long), to build and try the bare-metal image (qemu); does nothing when all is there.
# usage: tools/install-deps.sh build|test|long|qemu|package ...
set -eu

build="gcc make pkg-config libc6-dev libcrypt-dev libsqlite3-dev libcurl4-openssl-dev libmicrohttpd-dev libjansson-dev libssl-dev libidn2-dev libpcre2-dev libldns-dev libseccomp-dev libbrotli-dev zlib1g-dev publicsuffix"
test="python3 libcmocka-dev clang valgrind iproute2 man-db groff-base chromium"
long="clang afl++ gcovr"
qemu="gcc-aarch64-linux-gnu picolibc-aarch64-linux-gnu qemu-system-arm libusbredirparser-dev mtools dosfstools openssl xz-utils bzip2 python3"
package="dpkg-dev debhelper fakeroot"

wanted=""
for set in "$@"; do
    case $set in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    long) wanted="$wanted $long" ;;
    qemu) wanted="$wanted $qemu" ;;
    package) wanted="$wanted $package" ;;
    *)
        echo "usage: $0 build|test|long|qemu|package ..." >&2
        exit 2
        ;;
    esac
done

missing=""
for p in $wanted; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" != installed ]; then
        # A tool may be there without its package: another compiler, a build of one's own.
        case $p in
        gcc | make | clang | python3 | chromium) command -v "$p" >/dev/null 2>&1 && continue ;;
        pkg-config) command -v pkg-config >/dev/null 2>&1 && continue ;;
        esac
        missing="$missing $p"
    fi
done

# The dashboard is bundled with node; any from 18 on will do.
node_major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
if [ "${node_major:-0}" -lt 18 ]; then
    missing="$missing nodejs"
fi
command -v npm >/dev/null 2>&1 || missing="$missing npm"

[ -n "$missing" ] || exit 0
echo "installing:$missing"
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "$0: not root, and there is no sudo; install these packages first:$missing" >&2
        exit 1
    }
    as_root=sudo
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086 # the list is split on purpose
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
