#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The way from make install to a service, walked in a guest that is a Debian
# with systemd: vm.bash, root.sh.  The tests are steps of one guest's life, in
# this order.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2153,SC2154 # the rig's variables, and bats's

bats_require_minimum_version 1.5.0
load ../rig
load vm

SECOND_NS=1000000000
VM_MEMORY=512
VM_RUN=/run/clockbound

#
# In place of vm.bash's
#

fetch_parts()
{
	"$VM_TESTS/packages.sh" "$VM_DIR" && "$VM_TESTS/root.sh" "$VM_DIR"
}

make_disk()
{
	"$VM_DIR/qemu/usr/bin/qemu-img" create -q -f qcow2 \
	    -b "$VM_DIR/root.img" -F raw "$RIG/disk"
}

# over/ is laid over the disk: what make install gives, the shell, a network,
# and a chronyd that follows the one on this machine.
make_initrd()
{
	local ROOT=$RIG/root over=$RIG/root/over units

	units=$over/etc/systemd/system
	make -s -C "$RIG_ROOT" install DESTDIR="$over" >"$RIG/install.log"
	mkdir -p "$units/multi-user.target.wants" \
	    "$units/graphical.target.wants" "$over/etc/chrony" \
	    "$over/etc/systemd/network"
	install -D "$VM_TESTS/shell" "$over/usr/local/sbin/shell"
	install "$(find "$VM_DIR/qemu" -path '*/bin/busybox')" \
	    "$over/usr/local/sbin/busybox"
	printf '%s\n' '[Unit]' 'After=multi-user.target' \
	    '[Service]' 'ExecStart=/bin/sh /usr/local/sbin/shell' \
	    >"$units/shell.service"
	printf '%s\n' '[Match]' 'Name=e*' '[Network]' 'Address=10.0.2.15/24' \
	    >"$over/etc/systemd/network/net.network"
	ln -s /lib/systemd/system/systemd-networkd.service \
	    "$units/multi-user.target.wants"
	ln -s ../shell.service "$units/graphical.target.wants"
	printf '%s\n' \
	    "server 10.0.2.2 port $RIG_PORT minpoll 0 maxpoll 0 iburst" \
	    "makestep 0.05 -1" "maxclockerror 50" \
	    >"$over/etc/chrony/chrony.conf"
	pack init-systemd failover net_failover virtio_net virtio_blk \
	    ptp_vmclock
}

setup_file()
{
	local code=0

	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	vm_open || code=$?
	export RIG WHY_NOT=
	((code == 77)) && WHY_NOT=$(tail -n 1 "$RIG/why")
	((code == 0 || code == 77)) || {
		rig_show_logs
		return "$code"
	}
}

teardown_file()
{
	vm_close
}

setup()
{
	[[ -z $WHY_NOT ]] || skip "$WHY_NOT"
	vm_attach
	TRUSTED=0
}

teardown()
{
	if [[ -z ${BATS_TEST_COMPLETED-} && -z $WHY_NOT ]]; then
		guest "journalctl -b --no-pager | tail -n 60" || true
		echo "$OUTPUT"
		rig_show_logs
	fi
}

is_synchronised()
{
	says SYNCHRONIZED && is_within $((SECOND_NS / 20))
}

# shows PROPERTY=VALUE: of cb-daemon.service.
shows()
{
	guest "systemctl show -p ${1%%=*} cb-daemon"
	[[ $OUTPUT == "$1"$'\n' ]]
}

# has_logged TEXT
has_logged()
{
	guest "journalctl -b -u cb-daemon -o cat | grep -qF '$1'"
}

@test "no VMClock yet: the service fails, and says why" {
	guest "! systemctl enable --now cb-daemon"
	[[ $OUTPUT == *"Created symlink"*"Job for cb-daemon"*"failed"* ]]
	wait_until 20 has_logged "VMClock /dev/vmclock0: No such file"
	has_logged "or do without one: --disable-clock-disruption-support"
}

@test "udev lets everybody read the node, and the service comes up by itself" {
	guest "busybox insmod /modules/ptp_vmclock.ko && udevadm settle"
	wait_until 20 guest "[ \$(stat -c %a /dev/vmclock0) = 444 ]"
	guest "su -s /bin/sh nobody -c 'cb-vmclock'"
	wait_until 60 shows ActiveState=active
	shows User=_chrony
}

@test "the clock is bounded, true time is held, and systemctl says so" {
	watch_until 60 is_synchronised
	watch_until 20 has_trusted 10
	wait_until 10 shows StatusText=synchronized
	guest "su -s /bin/sh nobody -c 'cb-now --trust synchronized'"
}

@test "a restart goes on with the segment" {
	look="stat -c %i $VM_RUN/shm0; od -An -j 14 -N 2 -t u2 $VM_RUN/shm0"
	guest "$look"
	mapfile -t before <<<"$OUTPUT"
	guest "systemctl restart cb-daemon"
	guest "$look"
	mapfile -t after <<<"$OUTPUT"
	((after[0] == before[0] && after[1] > before[1]))
	watch_until 60 is_synchronised
}

@test "chronyd is stopped and started: its new directory is found" {
	guest "systemctl stop chrony && ! [ -e /run/chrony ]"
	wait_until 20 has_logged "status free running, was synchronized"
	guest "systemctl start chrony"
	wait_until 20 has_logged "chronyd answers"
	watch_until 60 is_synchronised
}

@test "one that hangs is started anew" {
	shows NRestarts=0
	guest "systemctl kill -s STOP cb-daemon"
	wait_until 60 shows NRestarts=1
	has_logged "Watchdog timeout"
	watch_until 60 is_synchronised
}

@test "without a VMClock, once the operator has said so" {
	guest "systemctl stop cb-daemon && busybox rmmod ptp_vmclock"
	guest "! systemctl start cb-daemon"
	guest "echo CB_DAEMON_OPTIONS=-d >/etc/default/cb-daemon"
	guest "systemctl start cb-daemon"
	watch_until 60 is_synchronised
}

@test "metrics are told to whoever connects" {
	[[ -x $RIG_ROOT/cmd/cb-status/cb-status ]] || skip "no cb-status yet"
	guest "systemctl enable --now cb-status-metrics.socket"
	wget="busybox wget -qO- http://127.0.0.1:10123/metrics"
	wait_until 30 guest "$wget | \
grep -qF 'clockbound_status{status=\"synchronized\"} 1'"
}

@test "nothing else has failed" {
	guest "systemctl --failed --no-legend"
	[[ -z $OUTPUT ]]
}
