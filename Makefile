# SPDX-License-Identifier: ISC
#
# make, make demo, make check: see README.md.  The object lists below are the
# architecture: the client library knows only the segment, the daemon all.

VERSION =	0.1.0
SOVERSION =	0

PREFIX ?=	/usr/local
BINDIR ?=	$(PREFIX)/bin
SBINDIR ?=	$(PREFIX)/sbin
LIBDIR ?=	$(PREFIX)/lib
INCLUDEDIR ?=	$(PREFIX)/include
MANDIR ?=	$(PREFIX)/share/man
DATADIR ?=	$(PREFIX)/share/clockbound-tools
UNITDIR ?=	$(PREFIX)/lib/systemd/system
UDEVDIR ?=	$(PREFIX)/lib/udev/rules.d
BASHCOMPDIR ?=	$(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?=	$(PREFIX)/share/zsh/site-functions
# As whom chronyd runs: its socket is for nobody else.
CHRONY_USER ?=	_chrony

CC ?=		cc
AR ?=		ar
CFLAGS ?=	-O2 -g
# A shell starts cb-now often, and a static program starts fastest.
STATIC ?=	-static
PKG_CONFIG ?=	pkg-config
# How a linker of ELF's is asked for a shared library.
SHARED ?=	-shared -Wl,-soname,libclockbound.so.$(SOVERSION) \
		-Wl,--version-script=lib/clockbound.map

WARNINGS =	-Wall -Wextra -Wpedantic -Wconversion -Wshadow \
		-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
		-Wwrite-strings -Wundef -Wvla -Wformat=2 -Wcast-qual \
		-Wswitch-enum
# Asked for when a recipe runs, which may be after `make deps`.
BSD_CFLAGS =	$(shell $(PKG_CONFIG) --cflags libbsd-overlay)
BSD_LIBS =	$(shell $(PKG_CONFIG) --libs --static libbsd-overlay)
# The filter of system calls, on Linux; SECCOMP= does without libseccomp.
SECCOMP ?=	$(filter Linux,$(shell uname))
SECCOMP_CFLAGS = $(if $(SECCOMP),-DCB_SECCOMP \
		$(shell $(PKG_CONFIG) --cflags libseccomp))
SECCOMP_LIBS =	$(if $(SECCOMP),\
		$(shell $(PKG_CONFIG) --libs --static libseccomp))
JSON_CFLAGS =	$(shell $(PKG_CONFIG) --cflags jansson)
JSON_LIBS =	$(shell $(PKG_CONFIG) --libs --static jansson)
ALL_CFLAGS =	-std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
		-DCB_VERSION='"$(VERSION)"' -Ilib -fno-common $(WARNINGS) \
		$(BSD_CFLAGS) $(CPPFLAGS) $(CFLAGS)

# What a client needs: libclockbound.
CLIENT_OBJS =	lib/now.o lib/now_at.o lib/ask.o lib/name.o lib/shm_read.o \
		lib/vmclock.o
# Everything: our own programs and tests.
LIB_OBJS =	$(CLIENT_OBJS) lib/shm_write.o lib/chrony.o \
		lib/chrony_socket.o lib/phc.o lib/stamp.o lib/system.o \
		lib/vmclock_time.o lib/vmclock_write.o lib/vmclock_notify.o
# source -> estimate -> status -> publish, driven by the loop.
PURE_OBJS =	cmd/cb-daemon/estimate.o cmd/cb-daemon/narrow.o \
		cmd/cb-daemon/status.o cmd/cb-daemon/period.o \
		cmd/cb-daemon/publish.o
DAEMON_OBJS =	cmd/cb-daemon/cb-daemon.o cmd/cb-daemon/clocks.o \
		cmd/cb-daemon/source.o $(PURE_OBJS) \
		cmd/cb-daemon/disruption.o cmd/cb-daemon/observe.o \
		cmd/cb-daemon/notify.o cmd/cb-daemon/loop.o \
		cmd/cb-daemon/sandbox.o cmd/cb-daemon/log.o
NOW_OBJS =	cmd/cb-now/cb-now.o cmd/cb-now/reading.o \
		cmd/cb-now/format.o cmd/cb-now/question.o \
		cmd/cb-now/stream.o cmd/cb-now/wait.o
STATUS_OBJS =	cmd/cb-status/cb-status.o cmd/cb-status/gather.o \
		cmd/cb-status/observe.o cmd/cb-status/judge.o \
		cmd/cb-status/figure.o cmd/cb-status/table.o \
		cmd/cb-status/json.o cmd/cb-status/metrics.o \
		cmd/cb-status/plugin.o cmd/cb-status/http.o \
		cmd/cb-status/wait.o cmd/cb-status/watch.o
VMCLOCK_OBJS =	cmd/cb-vmclock/cb-vmclock.o cmd/cb-vmclock/field.o \
		cmd/cb-vmclock/show.o cmd/cb-vmclock/change.o \
		cmd/cb-vmclock/watch.o

PROGRAMS =	cmd/cb-daemon/cb-daemon cmd/cb-now/cb-now \
		cmd/cb-status/cb-status cmd/cb-vmclock/cb-vmclock
LIBRARIES =	lib/libclockbound.a lib/libclockbound.so
UNIT_TESTS =	$(addprefix tests/unit/, budget chrony chrony_socket \
		estimate failure guest judge library narrow now observed order \
		period phc question sandbox seqlock shm shm1 shm_v1 soon \
		stamp status system vectors vmclock vmclock_notify \
		vmclock_page vmclock_time)
# With more or less of the daemon, but for what knows a real clock or chronyd.
MODELS =	tests/unit/disruption tests/sim/sim
SIM_OBJS =	tests/sim/sim.o tests/sim/life.o tests/sim/tally.o \
		tests/sim/world.o tests/sim/chronyd.o tests/sim/event.o \
		tests/sim/stand.o cmd/cb-daemon/source.o $(PURE_OBJS) \
		cmd/cb-daemon/disruption.o cmd/cb-daemon/observe.o \
		cmd/cb-daemon/notify.o cmd/cb-daemon/loop.o
TOOLS =		tests/tools/feed-sock tests/tools/fake-chronyd \
		tests/tools/look tests/tools/manager tests/tools/reader \
		tests/tools/serve \
		tests/tools/truth tests/tools/vmclock-node
# What becomes of all that when things fail, and programs for which they do.
FAULTS =	tests/faults/step tests/faults/torn tests/faults/readers
FAULTY =	tests/faults/cb-daemon tests/faults/cb-now
# ClockBound's own library and ours in one process.
PEERS =		tests/interop/exact tests/interop/live
BENCHES =	tests/bench/now tests/bench/loop tests/bench/start
# The first of them with another C library, where there is a compiler for it.
MUSL_CC ?=	musl-gcc
MUSL_SRCS =	tests/bench/now.c $(CLIENT_OBJS:.o=.c) lib/shm_write.c \
		lib/vmclock_write.c
MANUALS =	man/cb-daemon.8 man/cb-now.1 man/cb-status.1 \
		man/cb-vmclock.1 \
		man/clockbound.3 man/clockbound-observe.5 \
		man/clockbound-shm.5 man/clockbound.7

all: $(PROGRAMS) $(LIBRARIES)

cmd/cb-daemon/cb-daemon: $(DAEMON_OBJS) lib/libcb.a
cmd/cb-now/cb-now: $(NOW_OBJS) lib/libcb.a
cmd/cb-status/cb-status: $(STATUS_OBJS) lib/libcb.a
cmd/cb-vmclock/cb-vmclock: $(VMCLOCK_OBJS) lib/libcb.a

cmd/cb-daemon/cb-daemon cmd/cb-status/cb-status tests/sim/sim \
    tests/unit/observed tests/faults/cb-daemon: EXTRA_LIBS = $(JSON_LIBS)
cmd/cb-daemon/cb-daemon tests/unit/sandbox \
    tests/faults/cb-daemon: EXTRA_LIBS += $(SECCOMP_LIBS)
$(FAULTY): EXTRA_LIBS += $(foreach f,clock_gettime clock_getres \
    malloc calloc realloc arc4random,-Wl,--wrap=$(f)) $(STATIC)
tests/unit/period tests/unit/shm1 tests/sim/sim: EXTRA_LIBS += -lm
tests/unit/library: EXTRA_LIBS += -pthread
# With clocks that it sets.
tests/unit/soon: EXTRA_LIBS += -Wl,--wrap=clock_gettime \
    -Wl,--wrap=__clock_gettime64
# Counts what the library calls of these.
tests/unit/guest: EXTRA_LIBS += -pthread \
    $(foreach f,malloc calloc realloc free open \
    open64,-Wl,--wrap=$(f))

$(PROGRAMS):
	$(CC) $(CFLAGS) $(LDFLAGS) $(STATIC) -o $@ $^ $(EXTRA_LIBS) $(BSD_LIBS)

lib/libcb.a: $(LIB_OBJS)
lib/libclockbound.a: $(CLIENT_OBJS)

lib/libcb.a lib/libclockbound.a:
	rm -f $@
	$(AR) rcs $@ $^

lib/libclockbound.so: $(CLIENT_OBJS:.o=.pic.o) lib/clockbound.map
	$(CC) $(CFLAGS) $(LDFLAGS) $(SHARED) -o $@ $(filter %.o,$^)

# Before the library that they need.
tests/unit/failure: $(LIB_OBJS:.o=.failing.o)
tests/unit/judge: cmd/cb-status/judge.o cmd/cb-status/figure.o
tests/unit/observed: cmd/cb-status/observe.o
tests/unit/sandbox: cmd/cb-daemon/sandbox.o
$(UNIT_TESTS): %: %.o $(PURE_OBJS) lib/libcb.a
tests/unit/question: cmd/cb-now/question.o
tests/unit/disruption: tests/unit/disruption.o $(PURE_OBJS) \
    cmd/cb-daemon/disruption.o lib/libcb.a
tests/sim/sim: $(SIM_OBJS) lib/libcb.a
tests/faults/cb-daemon: $(DAEMON_OBJS) tests/faults/fail.o lib/libcb.a
tests/faults/cb-now: $(NOW_OBJS) tests/faults/fail.o lib/libcb.a
$(TOOLS) $(BENCHES) $(FAULTS): %: %.o lib/libcb.a

$(UNIT_TESTS) $(MODELS) $(TOOLS) $(BENCHES) $(FAULTS) $(FAULTY):
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(EXTRA_LIBS) $(BSD_LIBS)

$(PEERS): %: %.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ldl -lm

HEADERS =	$(wildcard lib/*.h cmd/*/*.h tests/unit/*.h tests/interop/*.h \
		tests/sim/*.h tests/tools/*.h tests/fuzz/*.h tests/faults/*.h)

tests/bench/now: EXTRA_LIBS = -pthread -ldl
tests/bench/now-musl: $(MUSL_SRCS) $(HEADERS) Makefile
	$(MUSL_CC) -std=c11 -D_GNU_SOURCE -Ilib $(WARNINGS) $(CPPFLAGS) \
	    $(CFLAGS) $(LDFLAGS) -static -o $@ $(MUSL_SRCS)

%.o: %.c $(HEADERS) Makefile
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

%.pic.o: %.c $(HEADERS) Makefile
	$(CC) $(ALL_CFLAGS) -fPIC -c -o $@ $<

%.failing.o: %.c $(HEADERS) Makefile
	$(CC) $(ALL_CFLAGS) -include tests/unit/failing.h -c -o $@ $<

tests/unit/%.o tests/sim/%.o: ALL_CFLAGS += -Icmd/cb-daemon -Icmd/cb-now \
    -Icmd/cb-status
tests/faults/%.o: ALL_CFLAGS += -Itests/unit
cmd/cb-daemon/sandbox.o tests/unit/sandbox.o: ALL_CFLAGS += $(SECCOMP_CFLAGS)
cmd/cb-daemon/observe.o $(STATUS_OBJS) tests/unit/judge.o \
    tests/unit/observed.o: ALL_CFLAGS += $(JSON_CFLAGS)

# Each target holds the text of a program, or of a part of it, and links what
# that needs; all of it with sanitizers, beside the objects above.
FUZZ =		tests/fuzz/build
FUZZERS =	$(patsubst tests/fuzz/%.c,$(FUZZ)/%,$(wildcard tests/fuzz/*.c))
FUZZ_CC ?=	clang
FUZZ_CFLAGS =	-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all

$(FUZZ)/chrony: $(addprefix $(FUZZ)/,$(PURE_OBJS) cmd/cb-daemon/source.o)
$(FUZZ)/cb-daemon: $(addprefix $(FUZZ)/,$(filter-out %/cb-daemon.o, \
    $(DAEMON_OBJS)))
$(FUZZ)/sysfs: $(FUZZ)/cmd/cb-daemon/log.o
$(FUZZ)/cb-now $(FUZZ)/format: $(FUZZ)/cmd/cb-now/format.o
$(FUZZ)/format: $(FUZZ)/cmd/cb-now/question.o
$(FUZZ)/cb-vmclock $(FUZZ)/field $(FUZZ)/vmclock: \
    $(FUZZ)/cmd/cb-vmclock/field.o
$(FUZZ)/cb-status $(FUZZ)/verdict: $(addprefix $(FUZZ)/cmd/cb-status/, \
    judge.o figure.o)
$(FUZZ)/verdict: $(addprefix $(FUZZ)/cmd/cb-status/,table.o json.o metrics.o \
    plugin.o)

$(FUZZERS): $(FUZZ)/%: $(FUZZ)/tests/fuzz/%.o $(FUZZ)/libcb.a
	$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) \
	    $(filter %.a,$^) $(JSON_LIBS) $(BSD_LIBS)

# What a target defines itself is not taken from here.
$(FUZZ)/libcb.a: $(addprefix $(FUZZ)/,$(LIB_OBJS))
	rm -f $@
	$(AR) rcs $@ $^

$(FUZZERS:$(FUZZ)/%=$(FUZZ)/tests/fuzz/%.o): $(wildcard lib/*.c cmd/*/*.c)
$(FUZZ)/%.o: %.c $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(FUZZ_CC) $(ALL_CFLAGS) $(JSON_CFLAGS) $(FUZZ_CFLAGS) \
	    -fsanitize=fuzzer-no-link -c -o $@ $<

# The packages that a target needs, installed where they are missing.  What is
# built is built by a make of its own, which sees what was installed.
deps:
	tests/tools/deps.sh build demo

demo:
	tests/tools/deps.sh build demo
	@echo Building
	@$(MAKE) -s all tests
	tests/tools/demo.sh

check:
	tests/tools/deps.sh build demo check
	@echo Building
	@$(MAKE) -s all tests
	tests/tools/check.sh tests

# In a virtual machine, whose parts are fetched into the user's cache.
check-vm:
	tests/tools/deps.sh build demo check vm
	@echo Building
	@$(MAKE) -s all tests
	tests/tools/check.sh tests/vm

# The order of memory, beyond what this machine's shows.
check-model:
	tests/tools/deps.sh build demo check model
	tests/tools/check.sh tests/model

# Ten years in model worlds.
check-sim:
	tests/tools/deps.sh build check
	@echo Building
	@$(MAKE) -s tests/sim/sim
	tests/tools/check.sh tests/sim

# Beside ClockBound itself, which is built from the crate registry into the
# user's cache.
check-interop:
	tests/tools/deps.sh build demo check
	@echo Building
	@$(MAKE) -s all tests $(PEERS)
	tests/tools/check.sh tests/interop

# For other systems, with a compiler that is fetched into the user's cache.
check-ports:
	tests/tools/deps.sh build demo check ports
	@echo Building
	@$(MAKE) -s all tests
	tests/tools/check.sh tests/ports

# What becomes of readers when the daemon's world fails.
check-faults:
	tests/tools/deps.sh build demo check
	@echo Building
	@$(MAKE) -s all tests $(FAULTS) $(FAULTY)
	tests/tools/check.sh tests/faults

# A day's ticks in a quarter of an hour: TICKS=, where that is too long.
check-soak:
	tests/tools/deps.sh build demo check
	@echo Building
	@$(MAKE) -s all tests
	tests/tools/check.sh tests/soak

# What of the library and of the pure files the tests run through.
coverage:
	tests/tools/deps.sh build coverage
	tests/tools/coverage.sh

# Hostile input, FUZZ_SECONDS for each target.
fuzz:
	tests/tools/deps.sh build check fuzz
	@echo Building
	@$(MAKE) -s $(FUZZERS)
	tests/tools/check.sh tests/fuzz

# What tools find that read the code.
check-lint:
	tests/tools/deps.sh build check lint
	tests/tools/check.sh tests/lint

# make check, with sanitizers in everything.
check-sanitize:
	tests/tools/deps.sh build demo check fuzz
	tests/sanitize/run.sh

check-valgrind:
	tests/tools/deps.sh build demo check valgrind
	@echo Building
	@$(MAKE) -s all tests
	tests/tools/check.sh tests/valgrind

bench:
	tests/tools/deps.sh build demo bench
	@echo Building
	@$(MAKE) -s all $(TOOLS) $(BENCHES)
	@! command -v $(MUSL_CC) >/dev/null || $(MAKE) -s tests/bench/now-musl
	tests/bench/bench.sh

tests: $(UNIT_TESTS) $(MODELS) $(TOOLS)

# A page by the name of each function.
FUNCTIONS =	clockbound_open clockbound_vmclock_open \
		clockbound_open_options clockbound_now clockbound_close \
		clockbound_bound_ns clockbound_after clockbound_before \
		clockbound_wait_until clockbound_read clockbound_at \
		clockbound_strerror clockbound_status_name

# FROM:TO, of what goes to the machine as it is but for these names.
METRICS =	dist/systemd/cb-status-metrics
COMPLETE =	dist/completion
DIST =	lib/clockbound.pc.in:$(LIBDIR)/pkgconfig/clockbound.pc \
	dist/systemd/cb-daemon.service.in:$(UNITDIR)/cb-daemon.service \
	$(METRICS).socket:$(UNITDIR)/cb-status-metrics.socket \
	$(METRICS)@.service.in:$(UNITDIR)/cb-status-metrics@.service \
	dist/udev/60-clockbound.rules:$(UDEVDIR)/60-clockbound.rules \
	$(COMPLETE)/_clockbound-tools:$(ZSHCOMPDIR)/_clockbound-tools \
	$(addprefix $(COMPLETE)/clockbound-tools.bash:$(BASHCOMPDIR)/, \
	    cb-daemon cb-now cb-status cb-vmclock) \
	$(foreach f,openrc/cb-daemon freebsd/cb_daemon \
	    prometheus/clockbound.rules.yml grafana/clockbound.json, \
	    dist/$(f):$(DATADIR)/$(f))
FILL =	sed $(foreach v,PREFIX BINDIR SBINDIR LIBDIR INCLUDEDIR VERSION \
	    CHRONY_USER,-e 's|@$(v)@|$($(v))|g')

install: all
	install -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(SBINDIR)" \
	    "$(DESTDIR)$(LIBDIR)" "$(DESTDIR)$(INCLUDEDIR)"
	install -m 755 cmd/cb-now/cb-now cmd/cb-status/cb-status \
	    cmd/cb-vmclock/cb-vmclock "$(DESTDIR)$(BINDIR)"
	install -m 755 cmd/cb-daemon/cb-daemon "$(DESTDIR)$(SBINDIR)"
	install -m 644 lib/clockbound.h "$(DESTDIR)$(INCLUDEDIR)"
	install -m 644 lib/libclockbound.a "$(DESTDIR)$(LIBDIR)"
	install -m 755 lib/libclockbound.so \
	    "$(DESTDIR)$(LIBDIR)/libclockbound.so.$(SOVERSION)"
	ln -sf libclockbound.so.$(SOVERSION) \
	    "$(DESTDIR)$(LIBDIR)/libclockbound.so"
	for m in $(MANUALS); do \
		install -d "$(DESTDIR)$(MANDIR)/man$${m##*.}" && \
		install -m 644 $$m "$(DESTDIR)$(MANDIR)/man$${m##*.}" || \
		    exit; \
	done
	for f in $(FUNCTIONS); do \
		ln -sf clockbound.3 "$(DESTDIR)$(MANDIR)/man3/$$f.3" || \
		    exit; \
	done
	for f in $(DIST); do \
		to="$(DESTDIR)$${f#*:}" && install -d "$${to%/*}" && \
		$(FILL) "$${f%%:*}" >"$$to" && chmod 644 "$$to" || exit; \
	done
	$(UPDATE_LINKER)

uninstall:
	rm -f "$(DESTDIR)$(BINDIR)/cb-now" \
	    "$(DESTDIR)$(BINDIR)/cb-status" \
	    "$(DESTDIR)$(BINDIR)/cb-vmclock" \
	    "$(DESTDIR)$(SBINDIR)/cb-daemon" \
	    "$(DESTDIR)$(INCLUDEDIR)/clockbound.h" \
	    "$(DESTDIR)$(LIBDIR)/libclockbound.a" \
	    "$(DESTDIR)$(LIBDIR)/libclockbound.so" \
	    "$(DESTDIR)$(LIBDIR)/libclockbound.so.$(SOVERSION)"
	for m in $(MANUALS); do \
		rm -f "$(DESTDIR)$(MANDIR)/man$${m##*.}/$${m#man/}"; \
	done
	for f in $(FUNCTIONS); do \
		rm -f "$(DESTDIR)$(MANDIR)/man3/$$f.3"; \
	done
	for f in $(DIST); do \
		rm -f "$(DESTDIR)$${f#*:}"; \
	done
	$(UPDATE_LINKER)

# The run-time linker's cache is the machine's: a package has its own way.
UPDATE_LINKER =	[ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || :

clean:
	rm -f $(PROGRAMS) $(LIBRARIES) lib/libcb.a $(UNIT_TESTS) \
	    $(MODELS) $(TOOLS) $(BENCHES) $(PEERS) $(FAULTS) $(FAULTY) \
	    tests/bench/now-musl
	rm -rf $(FUZZ)
	find lib cmd tests -name '*.o' -exec rm -f {} +

.PHONY: all deps demo check check-vm check-model check-sim check-interop \
    check-ports check-faults check-soak check-lint check-sanitize \
    check-valgrind fuzz coverage bench tests install \
    uninstall clean
.DELETE_ON_ERROR:
