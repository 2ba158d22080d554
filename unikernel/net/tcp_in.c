/*
 * lwIP's TCP input with a leak stopped. When a connection is closed or aborted in its callback for
 * octets that were acknowledged, lwIP forgets the octets that came in the same segment, and their
 * buffer with them: 512 such segments from anywhere, and nothing is received any more. Here they
 * are freed as soon as the callback has returned.
 */
#include "lwip/priv/tcp_priv.h"

#undef TCP_EVENT_SENT
#define TCP_EVENT_SENT(pcb, space, ret)                                                  \
    do {                                                                                 \
        (ret) = (pcb)->sent != NULL ? (pcb)->sent((pcb)->callback_arg, (pcb), (space))   \
                                    : (err_t)ERR_OK;                                     \
        if (((ret) == ERR_ABRT || (recv_flags & TF_CLOSED) != 0) && recv_data != NULL) { \
            pbuf_free(recv_data);                                                        \
            recv_data = NULL;                                                            \
        }                                                                                \
    } while (0)

#include "../core/tcp_in.c"
