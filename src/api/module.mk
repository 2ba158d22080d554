# Sources of src/api, written out.
api_SRCS := \
    api.c \
    assets.c \
    auth.c \
    explain.c \
    feed.c \
    history_feed.c \
    items.c \
    json.c \
    list_hits.c \
    lookup.c \
    metrics.c \
    origin.c \
    page.c \
    policy_apply.c \
    policy_entries.c \
    policy_groups.c \
    policy_lists.c \
    policy_plan.c \
    query_filter.c \
    reply.c \
    request.c \
    routes.c \
    rules.c \
    rules_check.c \
    rules_edit.c \
    rules_snapshot.c services_part.c \
    rules_value.c \
    tally.c \
    totp.c \
    view_action.c \
    view_auth.c \
    view_blocking.c \
    view_check.c \
    view_policy.c \
    view_clients.c \
    view_config.c \
    view_database.c \
    view_domains.c \
    view_events.c \
    view_groups.c \
    view_history.c \
    view_info.c \
    view_lists.c \
    view_network.c \
    view_owner.c \
    view_padd.c \
    view_preview.c \
    view_queries.c \
    view_settings.c view_services.c view_addresses.c view_own.c rules_text.c \
    view_static.c \
    view_status.c \
    view_suggestions.c \
    view_summary.c \
    view_top.c \
    view_totp.c \
    view_upstreams.c
