# Sources of src/blocklist, written out.
blocklist_SRCS :=
