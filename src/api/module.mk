# Sources of src/api, written out.
api_SRCS := assets.c rules.c rules_check.c rules_edit.c rules_value.c
