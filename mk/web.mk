# The dashboard: web/ bundled by esbuild, compressed and packed into one C file of assets.
WEB_ASSETS := $(BUILD)/gen/web_assets.c
