# The dashboard: web/ type-checked and bundled into build/web/, compressed, packed into one C file, an archive of its own.
# The bundle is the same for every configuration; only the archive is built for each.

WEB_OUT     := build/web
WEB_ASSETS  := $(BUILD)/gen/web_assets.c
WEB_SRCS    := $(sort $(shell find web/src -type f)) web/build.mjs web/tsconfig.json
WEB_MODULES := web/node_modules/.stamp
PACK        := build/tools/pack

$(WEB_MODULES): web/package-lock.json web/.npmrc
	@echo "  NPM     web"
	$(Q)cd web && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	$(Q)touch $@

$(WEB_OUT)/.stamp: $(WEB_SRCS) $(WEB_MODULES)
	@echo "  WEB     $(WEB_OUT)"
	$(Q)web/node_modules/.bin/tsc --noEmit -p web
	$(Q)node web/build.mjs $(WEB_OUT)
	$(Q)for f in $(WEB_OUT)/*; do gzip -9nc "$$f" >"$$f.gz" || exit 1; done
	$(Q)touch $@

$(PACK): tools/pack.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	$(Q)$(HOSTCC) $(CSTD) $(WARN) -O1 -o $@ $<

$(WEB_ASSETS): $(WEB_OUT)/.stamp $(PACK)
	@mkdir -p $(@D)
	@echo "  PACK    $@"
	$(Q)$(PACK) $@.new $(WEB_OUT)/*.gz && mv $@.new $@

$(BUILD)/gen/web_assets.o: $(WEB_ASSETS) src/api/assets.h
	@echo "  CC      $<"
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(BUILD)/libweb.a: $(BUILD)/gen/web_assets.o
	$(Q)rm -f $@ && $(AR) rcs $@ $<

.PHONY: web web-size
web: $(WEB_OUT)/.stamp

# What a browser loads, compressed; the limit is 100 KB in all.
web-size: $(WEB_OUT)/.stamp
	@wc -c $(WEB_OUT)/*.gz | awk '{print} END {if ($$1 > 100000) {print "web: over 100 KB"; exit 1}}'

# The page's own tests, each printing TAP: functions under node; the page in Chromium on the program, on a mock API, and on a mock
# that is told to misbehave (tests/e2e/browser/env.mjs says what can be set).
BROWSER_MODULES := tests/e2e/browser/node_modules/.stamp

$(BROWSER_MODULES): tests/e2e/browser/package-lock.json tests/e2e/browser/.npmrc
	@echo "  NPM     tests/e2e/browser"
	$(Q)cd tests/e2e/browser && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	$(Q)touch $@

.PHONY: web-test browser-test browser-modules
browser-modules: $(BROWSER_MODULES)
web-test: $(WEB_MODULES)
	$(Q)node web/test/run.mjs

browser-test: $(WEB_OUT)/.stamp $(BROWSER_MODULES) $(PROGRAM)
	$(Q)SINKHOLE_BIN=$(abspath $(PROGRAM)) python3 tests/e2e/browser/run_page.py
	$(Q)SINKHOLE_BIN=$(abspath $(PROGRAM)) python3 tests/e2e/browser/run_page.py manage.mjs
	$(Q)node tests/e2e/browser/page.mjs
	$(Q)node tests/e2e/browser/states.mjs
