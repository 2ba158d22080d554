# Sources of src/resolver, written out.
resolver_SRCS := resolver.c pipeline.c client.c policy.c special.c blocked.c local.c local_text.c local_answer.c \
                 forward.c alias.c pending.c upstream.c reply.c scrub.c rewrite.c cache.c cache_set.c wheel.c stream.c source.c
