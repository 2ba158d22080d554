# Sources of src/host, written out.
host_SRCS := \
    budget.c \
    daemon.c \
    daemon_policy.c \
    daemon_state.c \
    decode.c \
    doh_curl.c \
    fetch_curl.c \
    fetch_curl_answer.c \
    fetch_curl_url.c \
    filewatch.c \
    idna.c \
    list_build.c \
    list_copy.c \
    list_image.c \
    list_judge.c \
    list_sink.c \
    list_spec.c \
    listen.c \
    lists.c \
    lists_attempt.c \
    lists_entry.c \
    lists_force.c \
    logsink.c \
    loop.c \
    mailbox.c \
    netconf.c \
    notify.c \
    outbound.c \
    outstream.c \
    privdrop.c \
    progress.c \
    publish.c \
    rrtext_ldns.c \
    snapshots.c \
    sockaddr.c \
    starter.c \
    store.c \
    sys.c \
    tcp.c \
    ticketmap.c \
    tls.c \
    token.c \
    udp.c \
    worker.c
host_CFLAGS := $(HOST_CFLAGS)
