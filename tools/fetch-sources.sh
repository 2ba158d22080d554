#!/usr/bin/env bash
# Fetch the third-party sources of the unikernel as Debian source packages, check them against pinned checksums, and
# unpack them to build/third_party/NAME. The package mirror is the one this machine's apt is configured for; nothing is
# written outside build/. Run again, it does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=build/third_party
suite=bookworm

# name  source package  file  sha256
sources=(
    "lwip     lwip     lwip_2.1.3+dfsg1.orig.tar.xz  0a8276d09fc4e97bbba2f953d74af2388fc2195ea156be9d7589e297a68fde24"
    "mbedtls  mbedtls  mbedtls_2.28.3.orig.tar.gz    3b4953aa55a681e084d31892d9904cc5328d6b4958ea57b90ae4b4f94ae69a8d"
    "jansson  jansson  jansson_2.14.orig.tar.gz      c739578bf6b764aa0752db9a2fdadcfe921c78f1228c7ec0bb47fa804c55d17b"
    "zlib     zlib     zlib_1.2.13.dfsg.orig.tar.bz2 71feb7947e3c00ef125f83b79a4e529bde31171e5babe48b391f06758d1ab0a1"
    "pcre2    pcre2    pcre2_10.42.orig.tar.gz       c33b418e3b936ee3153de2c61cc638e7e4fe3156022a5c77d0711bcbb9d64f1f"
    "http-parser http-parser http-parser_2.9.4.orig.tar.gz 467b9e30fd0979ee301065e70f637d525c28193449e1b13fbcb1b1fab3ad224f"
)

die() { echo "fetch-sources: $*" >&2; exit 1; }

# The mirrors that apt already uses for this suite, as deb-src lines; one-line and deb822 files are read.
source_lines() {
    local files=()
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ -s "$f" ] && files+=("$f")
    done
    awk -v suite="$suite" '
        FNR == 1 { uri = "" }
        /^deb(-src)?[ \t]/ {
            i = 2
            if ($i ~ /^\[/) { while ($i !~ /\]$/) i++; i++ }
            if ($(i + 1) == suite && $(i + 2) == "main") print $i
        }
        /^URIs:/ { uri = $2 }
        /^Suites:/ { for (i = 2; i <= NF; i++) if ($i == suite && uri != "") print uri }
    ' "${files[@]}" | sort -u |
        awk -v suite="$suite" '{ print "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " $1 " " suite " main" }'
}

fetch_packages() {
    local apt="$PWD/$dir/apt"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    source_lines >"$apt/sources.list"
    [ -s "$apt/sources.list" ] || die "apt has no $suite main source configured; expected one in /etc/apt/sources.list or sources.list.d"
    cat >"$apt/apt.conf" <<EOF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
EOF
    export APT_CONFIG="$apt/apt.conf"
    apt-get -qq update
    (cd "$dir" && apt-get -qq source --download-only "$@") || die "apt-get source $* failed"
}

mkdir -p "$dir"
missing=()
for row in "${sources[@]}"; do
    read -r _ package file sum <<<"$row"
    echo "$sum  $dir/$file" | sha256sum --check --status 2>/dev/null || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] || fetch_packages "${missing[@]}"

for row in "${sources[@]}"; do
    read -r name _ file sum <<<"$row"
    [ -f "$dir/$file" ] || die "$file: not delivered; expected version is pinned in this script"
    echo "$sum  $dir/$file" | sha256sum --check --status || die "$file: checksum differs; expected sha256 $sum"
    if [ ! -e "$dir/$name/.unpacked" ]; then
        rm -rf "${dir:?}/$name" && mkdir -p "$dir/$name"
        tar -C "$dir/$name" --strip-components=1 -xf "$dir/$file"
        touch "$dir/$name/.unpacked"
    fi
done
