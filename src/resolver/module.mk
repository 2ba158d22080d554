# Sources of src/resolver, written out.
resolver_SRCS := resolver.c pipeline.c finish.c client.c policy.c policy_answer.c profile.c memo.c safe.c address.c special.c special_rules.c reverse.c blocked.c local.c local_text.c local_answer.c local_order.c dns64.c \
                 forward.c response.c alias.c pending.c waiter.c upstream.c reply.c scrub.c rewrite.c cache.c cache_read.c cache_set.c wheel.c stream.c source.c
