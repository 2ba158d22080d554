#!/bin/sh
# Includes go downwards only, the core sees no header of an operating system, and each third-party library has the doors
# that are listed here.
#   check_layers.sh        in the top folder
set -eu

awk '
function fail(text) { print "layers: " FILENAME ":" FNR ": " text; bad = 1 }
function base_of(path) { sub(/.*\//, "", path); return path }

BEGIN {
    # Who may include whom, from the top of the picture down.
    below["base"] = "base"
    below["dns"] = "dns base"
    below["stats"] = "stats dns base"
    below["blocklist"] = "blocklist dns base"
    below["resolver"] = "resolver blocklist stats dns base"
    below["config"] = "config resolver blocklist stats dns base"
    below["api"] = "api config resolver blocklist stats dns base"
    below["shared"] = "shared api config resolver blocklist stats dns base"
    below["host"] = "host shared api config resolver blocklist stats dns base"
    below["cli"] = "cli host shared api config resolver blocklist stats dns base"
    below["unikernel"] = "shared api config resolver blocklist stats dns base"

    # What the C language itself brings, even without an operating system; string.h for mem* and str*.
    n = split("stdarg stdatomic stdbool stddef stdint limits string", names, " ")
    for (i = 1; i <= n; i++) { plain[names[i] ".h"] = 1 }

    # Third-party headers and their doors, by the beginning of the path.
    doors["jansson.h"] = "src/api/ src/host/ src/cli/ unikernel/"
    doors["curl/"] = "src/host/fetch_curl src/host/doh_curl src/cli/http_client"
    doors["microhttpd.h"] = "src/host/http_mhd"
    doors["crypt.h"] = "src/host/password"
    doors["sqlite3.h"] = "src/host/history_sqlite"
    doors["ldns/"] = "src/host/rrtext_ldns"
    doors["pcre2.h"] = "src/shared/regex_pcre2"
    doors["idn2.h"] = "src/host/idna"
    doors["brotli/"] = "src/host/decode_brotli"
    doors["openssl/"] = "src/host/"
    doors["zlib.h"] = "src/shared/decode src/host/"
    doors["lwip/"] = "unikernel/"
    doors["mbedtls/"] = "unikernel/"
}

FNR == 1 {
    split(FILENAME, part, "/")
    layer = part[1] == "src" ? part[2] : part[1]
    core = layer != "host" && layer != "cli" && layer != "shared" && layer != "unikernel"
    if (!(layer in below)) { fail("a folder without a layer: " layer) }
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    if (!index(quoted[2], "/")) { next } # generated, or beside it
    split(quoted[2], part, "/")
    if ((part[1] in below) && !index(" " below[layer] " ", " " part[1] " ")) {
        fail("src/" layer " includes upwards: " quoted[2])
    }
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    header = $0
    sub(/^[^<]*</, "", header)
    sub(/>.*/, "", header)
    door = ""
    for (name in doors) {
        if (index(header, name) == 1) { door = name }
    }
    if (door != "") {
        open = 0
        n = split(doors[door], paths, " ")
        for (i = 1; i <= n; i++) { open = open || index(FILENAME, paths[i]) == 1 }
        if (!open) { fail("<" header "> belongs behind its door: " doors[door]) }
    } else if (core && !(header in plain)) {
        fail("the core includes <" header ">")
    }
}

END { if (!bad) { print "layers: ok" } exit bad }
' $(find src $([ -d unikernel ] && echo unikernel) -name '*.[ch]' -o -name '*.def' -o -name '*.inc' | sort)
