#!/usr/bin/env bash
# A bootable SD card image for Raspberry Pi 3 and 4, without root and without mounts: build/sdimage/sinkhole.img.
# The firmware comes as Debian's package raspi-firmware (non-free-firmware) from the mirror that apt is configured for; it may be
# redistributed in binary form for use on a Raspberry Pi, is never part of the repository, and its notices go onto the card.
#   make_sdimage.sh KERNEL3 KERNEL4        the images of raspi3 and raspi4
set -euo pipefail
cd "$(dirname "$0")/.."
kernel3=$1 kernel4=$2
out=build/sdimage
suite=bookworm
sum=0094ced47a7fbb6a220ff83e7b43aa637a5d8f6802461e2e4e474597fb796f62 # 1.20220830+ds-1
mib=256 # of the whole card; a power of two, which emulators want

die() { echo "make_sdimage: $*" >&2; exit 1; }

fetch_firmware() {
    local apt="$PWD/$out/apt" uri
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    local files=() f
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ -s "$f" ] && files+=("$f")
    done
    uri=$(awk -v suite="$suite" '
        /^deb[ \t]/ { for (i = 2; i < NF; i++) if ($(i + 1) == suite) print $i }
        /^URIs:/ { uri = $2 }
        /^Suites:/ { for (i = 2; i <= NF; i++) if ($i == suite) print uri }' "${files[@]}" | sed -n 1p)
    [ -n "$uri" ] || die "apt has no $suite source configured; expected one in /etc/apt/sources.list or sources.list.d"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite non-free-firmware" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<EOF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
EOF
    (export APT_CONFIG="$apt/apt.conf" && apt-get -qq update && cd "$out" && apt-get -qq download raspi-firmware) ||
        die "raspi-firmware cannot be fetched"
    mv "$out"/raspi-firmware_*.deb "$out/raspi-firmware.deb"
}

mkdir -p "$out"
echo "$sum  $out/raspi-firmware.deb" | sha256sum --check --status 2>/dev/null || fetch_firmware
echo "$sum  $out/raspi-firmware.deb" | sha256sum --check --status || die "raspi-firmware: checksum differs; expected sha256 $sum"
rm -rf "$out/firmware" "$out/card"
dpkg-deb -x "$out/raspi-firmware.deb" "$out/firmware"
boot=$(dirname "$(find "$out/firmware" -name bootcode.bin | head -1)")
mkdir -p "$out/card/licences"
for f in bootcode.bin start_cd.elf fixup_cd.dat start4cd.elf fixup4cd.dat; do
    [ -f "$boot/$f" ] || die "raspi-firmware has no $f"
    cp "$boot/$f" "$out/card/"
done
find "$out/firmware/usr/share/doc/raspi-firmware" -name 'copyright*' -exec cp {} "$out/card/licences/raspi-firmware.txt" \;
cp LICENSE "$out/card/licences/sinkhole.txt"
cp build/third_party/lwip/COPYING "$out/card/licences/lwip.txt"
cp build/third_party/mbedtls/LICENSE "$out/card/licences/mbedtls.txt"
cp build/third_party/jansson/LICENSE "$out/card/licences/jansson.txt"
cp build/third_party/pcre2/LICENCE "$out/card/licences/pcre2.txt"
cp build/third_party/zlib/LICENSE "$out/card/licences/zlib.txt"
cp build/third_party/http-parser/LICENSE-MIT "$out/card/licences/http-parser.txt"
cp /usr/share/doc/picolibc-aarch64-linux-gnu/copyright "$out/card/licences/picolibc.txt"
cp "$kernel3" "$out/card/kernel8.img"
cp "$kernel4" "$out/card/kernel8-4.img"
cp packaging/sdcard/config.txt packaging/sdcard/sinkhole.conf "$out/card/"
truncate -s 2M "$out/card/state.bin"
truncate -s 64M "$out/card/lists.bin"

# One partition from 1 MiB on: entry of type 0c in a master boot record.
img=$out/sinkhole.img
rm -f "$img"
truncate -s ${mib}M "$img"
python3 - "$img" $mib <<'EOF'
import struct, sys
sectors = int(sys.argv[2]) * 2048 - 2048
with open(sys.argv[1], "r+b") as f:
    f.seek(446)
    f.write(struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x0C, b"\xfe\xff\xff", 2048, sectors))
    f.seek(510)
    f.write(b"\x55\xaa")
EOF
mkfs.fat -F 32 -s 4 -n SINKHOLE --offset 2048 "$img" $(((mib - 1) * 1024)) >/dev/null
# The files that are written in place come first, so that each lies in one piece.
export MTOOLS_SKIP_CHECK=1
for f in state.bin lists.bin; do mcopy -i "$img@@1M" "$out/card/$f" ::; done
rm "$out/card/state.bin" "$out/card/lists.bin"
mcopy -s -i "$img@@1M" "$out"/card/* ::
echo "  CARD    $img ($(du -h --apparent-size "$img" | cut -f1))"
