# Sources of src/host, written out.
host_SRCS := \
    api_host.c \
    budget.c \
    catalog_files.c \
    confine.c \
    crew.c \
    daemon.c \
    daemon_confine.c \
    daemon_devices.c \
    daemon_names.c \
    daemon_policy.c \
    daemon_state.c \
    decode_brotli.c \
    doh_curl.c \
    fetch_curl.c \
    fetch_curl_answer.c \
    fetch_curl_url.c \
    filewatch.c \
    history.c \
    history_dict.c \
    history_sqlite.c \
    history_sqlite_read.c \
    history_sqlite_write.c \
    http_conns.c \
    http_mhd.c \
    http_mhd_request.c \
    idna.c \
    limits.c \
    list_build.c \
    list_copy.c \
    list_image.c \
    list_judge.c \
    list_marks.c \
    list_sink.c \
    list_spec.c \
    listen.c \
    lists.c \
    lists_attempt.c \
    lists_entry.c \
    lists_force.c lists_guard.c lists_held.c \
    logsink.c \
    loop.c \
    mailbox.c \
    name_ask.c \
    netconf.c \
    notify.c \
    outbound.c outbound_socket.c \
    outstream.c \
    password.c \
    preview.c \
    privdrop.c \
    progress.c \
    publish.c \
    rrtext_ldns.c \
    rules_file.c \
    snapshot_regex.c \
    snapshots.c \
    sockaddr.c \
    spare.c \
    starter.c \
    store.c \
    sys.c \
    sysinfo.c \
    tcp.c \
    textfile.c \
    ticketmap.c \
    neighbours.c timezone.c tls.c \
    token.c \
    udp.c \
    worker.c \
    xdp.c \
    xdp_frame.c \
    xdp_program.c
host_CFLAGS := $(HOST_CFLAGS)
