# Sources of src/blocklist, written out.
blocklist_SRCS := parse.c parse_name.c parse_text.c parse_hosts.c parse_domains.c parse_adblock.c \
                  parse_dnsmasq.c parse_unbound.c parse_rpz.c parse_one.c \
                  codes.c checksum.c compile.c compile_feed.c compile_store.c compile_sort.c \
                  compile_names.c compile_trie.c compile_lanes.c compile_write.c judge.c image.c image_walk.c walk.c match.c explain.c overlay.c guard.c guard_names.c diff.c regex.c regex_index.c \
                  regex_sieve.c catalog.c
