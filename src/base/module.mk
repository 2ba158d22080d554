# Sources of src/base, written out.
base_SRCS := device.c err.c require.c ip.c strbuf.c arena.c pool.c siphash.c rng.c log.c log_ring.c mac.c sha1.c tz.c
