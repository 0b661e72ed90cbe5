# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034 # the rig's variables
#
# A real VMClock, for tests/vm/vm.bats: a guest under QEMU, without any
# hardware's help, that has our programs and a chronyd.  It synchronises to a
# chronyd on this machine, whose clock is true time.
#
#	chronyd here -> user network -> chronyd -> cb-daemon -> cb-now there
#
# vm_open and vm_close stand around all tests of a file, since a boot takes
# seconds; rig.bash has the waiting, and the processes.

VM_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/clockbound-tools/vm
VM_TESTS=${BASH_SOURCE[0]%/*}
VM_MEMORY=192
# Where the guest's cb-daemon publishes.
VM_RUN=/run/cb

fetch_parts()
{
	"$VM_TESTS/packages.sh" "$VM_DIR"
}

# add PATH [NAME]: a program, and the shared objects that it needs.
add()
{
	local object

	install -D "$1" "$ROOT/bin/${2:-${1##*/}}"
	for object in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		install -D "$object" "$ROOT$object"
	done
}

# add_module NAME
add_module()
{
	local file

	file=$(find "$VM_DIR/kernel" -name "$1.ko*")
	mkdir -p "$ROOT/modules"
	case $file in
	*.xz) xz -dc "$file" ;;
	*.zst) zstd -qdc "$file" ;;
	*) cat "$file" ;;
	esac >"$ROOT/modules/$1.ko"
}

# pack INIT MODULE...: $ROOT, with busybox, becomes $RIG/initrd.
pack()
{
	local module

	add "$(find "$VM_DIR/qemu" -path '*/bin/busybox')"
	install "$VM_TESTS/$1" "$ROOT/init"
	for module in "${@:2}"; do
		add_module "$module"
	done
	(cd "$ROOT" && find . | "$ROOT/bin/busybox" cpio -o -H newc) \
	    2>/dev/null | gzip -1 >"$RIG/initrd"
}

# The guest's files.
make_initrd()
{
	local ROOT=$RIG/root

	mkdir -p "$ROOT/etc" "$ROOT/var"
	ln -s /run "$ROOT/var/run"
	add "$CB_DAEMON"
	add "$CB_NOW"
	add "$RIG_ROOT/cmd/cb-vmclock/cb-vmclock"
	add "$RIG_TOOLS/vmclock-node"
	add "$RIG/chronyd"
	add "$(command -v rtcwake)"
	install "$VM_TESTS/shell" "$ROOT/shell"
	echo "root:x:0:0::/:/bin/sh" >"$ROOT/etc/passwd"
	echo "nobody:x:65534:65534::/:/bin/sh" >>"$ROOT/etc/passwd"
	cat >"$ROOT/etc/chrony.conf" <<-EOF
	server 10.0.2.2 port $RIG_PORT minpoll 0 maxpoll 0 iburst
	makestep 0.05 -1
	maxclockerror 50
	cmdport 0
	bindcmdaddress /run/chrony/chronyd.sock
	pidfile /run/chronyd.pid
	EOF
	pack init failover net_failover virtio_net ptp_vmclock
}

# The guest's disk, at $RIG/disk: room for snapshots.
make_disk()
{
	"$VM_DIR/qemu/usr/bin/qemu-img" create -q -f qcow2 "$RIG/disk" 512M
}

# A timer with a frequency of its own: QEMU's cycle counter, without hardware's
# help, has none that a kernel could find out.
CMDLINE="console=ttyS0 panic=-1 clocksource=hpet tsc=unstable"

boot()
{
	local qemu kernel library

	qemu=$(find "$VM_DIR/qemu" -name qemu-system-x86_64)
	kernel=$(find "$VM_DIR/kernel" -name 'vmlinuz*' -type f)
	library=$VM_DIR/qemu/usr/lib/x86_64-linux-gnu
	library+=:$VM_DIR/qemu/lib/x86_64-linux-gnu
	LD_LIBRARY_PATH=$library make_disk
	mkfifo "$RIG/shell.in" "$RIG/shell.out" "$RIG/qmp.in" "$RIG/qmp.out"
	vm_attach
	spawn qemu env "LD_LIBRARY_PATH=$library" "$qemu" \
	    -L "$VM_DIR/qemu/usr/share/qemu" \
	    -L "$VM_DIR/qemu/usr/share/seabios" \
	    -accel tcg -cpu max -machine q35,hpet=on -m "$VM_MEMORY" \
	    -nodefaults -display none -no-reboot -device vmclock \
	    -kernel "$kernel" -initrd "$RIG/initrd" -append "$CMDLINE" \
	    -netdev user,id=net,restrict=off \
	    -device virtio-net-pci,netdev=net,romfile= \
	    -drive "if=none,id=disk,file=$RIG/disk,format=qcow2" \
	    -device virtio-blk-pci,drive=disk \
	    -serial "file:$RIG/console.log" \
	    -chardev "pipe,id=shell,path=$RIG/shell" -serial chardev:shell \
	    -chardev "pipe,id=qmp,path=$RIG/qmp" \
	    -mon chardev=qmp,mode=control
}

# vm_open: 77 where there are no parts to be had, and a line in $RIG/why.
vm_open()
{
	rig_open || return
	fetch_parts 2>"$RIG/why" || return
	chronyd_start host "local stratum 1" "allow 127.0.0.1" \
	    "bindaddress 127.0.0.1" "port $RIG_PORT" || return
	make_initrd && boot || return
	FIRST_LINE=
	wait_until 180 is_up_or_gone && is_running qemu || return
	monitor_execute qmp_capabilities
}

# The first line may come in parts.
is_up_or_gone()
{
	local part

	is_running qemu || return 0
	read -r -t 0.1 part <&"$FROM_SHELL" || true
	FIRST_LINE+=$part
	[[ $FIRST_LINE == "0 ready" ]]
}

vm_close()
{
	rig_close
}

# Each test is a process of its own.  The FIFOs are opened for both ways, so
# that nobody sees an end of file.
vm_attach()
{
	exec {TO_SHELL}<>"$RIG/shell.in" {FROM_SHELL}<>"$RIG/shell.out"
	exec {TO_QMP}<>"$RIG/qmp.in" {FROM_QMP}<>"$RIG/qmp.out"
}

# guest COMMAND: run in the guest; OUTPUT, and its exit status.  What belongs
# to another command, before the guest was put back, is passed over.
guest()
{
	local number line

	now_us
	number=$NOW_US
	printf '%s %s\n' "$number" "$1" >&"$TO_SHELL"
	OUTPUT=
	while read -r -t 60 line <&"$FROM_SHELL"; do
		case $line in
		"$number = "*) return "${line##* }" ;;
		"$number "*) OUTPUT+=${line#* }$'\n' ;;
		esac
	done
	echo "the guest does not answer: $1" >&2
	return 1
}

# monitor_execute COMMAND [ARGUMENTS-IN-JSON]
monitor_execute()
{
	local line

	printf '{"execute": "%s", "arguments": %s}\n' "$1" "${2:-{\}}" \
	    >&"$TO_QMP"
	while read -r -t 30 line <&"$FROM_QMP"; do
		case $line in
		*'"error"'*)
			echo "$line" >&2
			return 1
			;;
		*'"return"'*) return ;;
		esac
	done
	echo "QEMU does not answer: $1" >&2
	return 1
}

# monitor LINE: of QEMU's monitor for people.
monitor()
{
	monitor_execute human-monitor-command "{\"command-line\": \"$1\"}"
}

#
# In place of rig.bash's: a reading in the guest.  True time was between
# SENT_NS and GOT_NS.
#

read_now()
{
	now_us
	SENT_NS=$((NOW_US * 1000))
	CODE=0
	guest "cb-now -s $VM_RUN" || CODE=$?
	now_us
	GOT_NS=$(((NOW_US + 1) * 1000))
	LINE=${OUTPUT%$'\n'}
	parse_now
}

holds_truth()
{
	TRUTH="$SENT_NS to $GOT_NS"
	((EARLIEST <= GOT_NS && LATEST >= SENT_NS))
}

# has_logged TEXT: the guest's cb-daemon.
has_logged()
{
	guest "grep -q '$1' /run/daemon.log"
}
