# Sources of src/base, written out.
base_SRCS := err.c require.c ip.c strbuf.c arena.c pool.c siphash.c rng.c log.c log_ring.c sha1.c tz.c
