# `make install DESTDIR= PREFIX=` puts files in place; `make deb` builds a Debian package in build/deb/.

PREFIX      ?= /usr/local
SYSCONFDIR  ?= /etc
BINDIR      ?= $(PREFIX)/bin
MANDIR      ?= $(PREFIX)/share/man
DATADIR     ?= $(PREFIX)/share/sinkhole
DOCDIR      ?= $(PREFIX)/share/doc/sinkhole
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
COMPDIR     ?= $(PREFIX)/share/bash-completion/completions
INSTALL     ?= install

.PHONY: install uninstall deb
# A configuration that is there already is left as it is; the example then stands beside it.
install: $(PROGRAM)
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) \
	    $(DESTDIR)$(COMPDIR) $(DESTDIR)$(DOCDIR) $(DESTDIR)$(DATADIR) $(DESTDIR)$(SYSCONFDIR)/sinkhole
	$(INSTALL) -m 755 $(PROGRAM) $(DESTDIR)$(BINDIR)/sinkhole
	$(INSTALL) -m 644 docs/man/sinkhole.8 $(DESTDIR)$(MANDIR)/man8/sinkhole.8
	$(INSTALL) -m 644 docs/man/sinkhole.conf.5 $(DESTDIR)$(MANDIR)/man5/sinkhole.conf.5
	$(INSTALL) -m 644 packaging/completions/sinkhole.bash $(DESTDIR)$(COMPDIR)/sinkhole
	$(INSTALL) -m 644 packaging/systemd/sinkhole.sysusers $(DESTDIR)$(SYSUSERSDIR)/sinkhole.conf
	sed 's,@BINDIR@,$(BINDIR),' packaging/systemd/sinkhole.service >$(DESTDIR)$(UNITDIR)/sinkhole.service
	chmod 644 $(DESTDIR)$(UNITDIR)/sinkhole.service
	$(INSTALL) -m 644 conf/services.conf conf/safe-search.conf $(DESTDIR)$(DATADIR)/
	$(INSTALL) -m 644 README.md CHANGELOG.md docs/config.md $(DESTDIR)$(DOCDIR)/
	conf=$(DESTDIR)$(SYSCONFDIR)/sinkhole/sinkhole.conf; [ ! -e $$conf ] || conf=$$conf.example; $(INSTALL) -m 644 conf/sinkhole.conf $$conf

# The configuration and the state directory stay.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/sinkhole $(DESTDIR)$(MANDIR)/man8/sinkhole.8 $(DESTDIR)$(MANDIR)/man5/sinkhole.conf.5 $(DESTDIR)$(COMPDIR)/sinkhole \
	    $(DESTDIR)$(SYSUSERSDIR)/sinkhole.conf $(DESTDIR)$(UNITDIR)/sinkhole.service
	rm -rf $(DESTDIR)$(DOCDIR) $(DESTDIR)$(DATADIR)

# Built from a copy of the tree with packaging/debian as debian/, as dpkg-buildpackage wants it.
DEB_TREE := build/deb/sinkhole-$(VERSION)
deb: $(PROGRAM)
	@tools/install-deps.sh build package
	rm -rf $(DEB_TREE) && mkdir -p $(DEB_TREE)
	git ls-files -z | xargs -0 cp --parents -t $(DEB_TREE)
	cp -r packaging/debian $(DEB_TREE)/debian
	[ ! -d web/node_modules ] || cp -a web/node_modules $(DEB_TREE)/web/
	cd $(DEB_TREE) && dpkg-buildpackage -b -us -uc --no-sign
	@ls -l build/deb/*.deb
