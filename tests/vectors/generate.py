#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Segments and clock readings, and what a reader must make of them.

Prints vectors.txt.  The rules are those of clockbound-shm(5), written down
here a second time, in whole numbers and fractions of any size.  Each case
below says which status or error it is about; the rules must agree with that.
"""

import math
from fractions import Fraction

U, SYNC, FREE, DIS = "UNKNOWN", "SYNCHRONIZED", "FREE_RUNNING", "DISRUPTED"
STATUSES = [U, SYNC, FREE, DIS]
TRUSTED = (SYNC, FREE)
NOT = "SEGMENT_NOT_INITIALIZED"
VER = "SEGMENT_VERSION_NOT_SUPPORTED"
BAD = "SEGMENT_MALFORMED"
BREACH = "CAUSALITY_BREACH"

MAGIC = [0x414D5A4E, 0x43420200]
S = 10**9                       # nanoseconds
LAST_S = 4 * 10**9              # seconds that a clock can show
FRESH = {1: 5 * S, 2: 5 * S, 3: 60 * S}
BLUR = 1000                     # nanoseconds
# A tick of 2^-30 s: whole seconds are a whole number of ticks.
TICKS = 2**30

# Field and bytes, in the order of the file.
HEADER = [("magic0", 4), ("magic1", 4), ("segsize", 4), ("version", 2),
          ("generation", 2)]
TIMES = [("as_of_s", 8), ("as_of_ns", 8), ("void_after_s", 8),
         ("void_after_ns", 8)]
BODY = {
    1: TIMES + [("bound", 8), ("drift", 4), ("zero0", 4), ("status", 4),
                ("zero1", 4)],
    2: TIMES + [("bound", 8), ("marker", 8), ("drift", 4), ("status", 4),
                ("support", 1), ("zero0", 1), ("zero1", 2), ("zero2", 4)],
    3: [("as_of_tsc", 8)] + TIMES +
       [("period", 8), ("period_err", 8), ("bound", 8), ("marker", 8),
        ("drift", 4), ("status", 4), ("support", 1), ("period_shift", 1),
        ("period_err_shift", 1), ("zero0", 1), ("zero1", 4)],
}


def size_of(layout):
    return sum(size for _, size in HEADER + BODY[layout])


def a_segment(layout, **changes):
    """One that nothing is wrong with, but for the changes."""
    segment = dict.fromkeys([name for name, _ in HEADER + BODY[layout]], 0)
    segment.update(
        magic0=MAGIC[0], magic1=MAGIC[1], segsize=size_of(layout),
        version={1: 1, 2: 2, 3: 0x0303}[layout], generation=2,
        as_of_s=1000, void_after_s=2000, bound=0, drift=0, status=1)
    if layout == 3:
        # 2^63 / 2^(64 + 29) s
        segment.update(as_of_tsc=10**15, period=2**63, period_shift=29,
                       as_of_s=1700000000, void_after_s=1700001000)
    segment.update(changes)
    return segment


#
# The rules
#

def check_header(segment, length):
    """A layout, or an error."""
    if (length < 16 or [segment["magic0"], segment["magic1"]] != MAGIC or
            segment["version"] == 0 or segment["generation"] == 0):
        return None, NOT
    version = segment["version"]
    if version in (1, 2):
        layout = version
    elif version >> 8 == 3 and version & 255 >= 3:
        layout = 3
    else:
        return None, VER
    if not size_of(layout) <= segment["segsize"] <= length:
        return None, BAD
    # Written on for ever, and never whole.
    if segment["generation"] % 2 == 1:
        return None, NOT
    return layout, None


def check_body(segment, layout):
    good = (all(abs(segment[s]) <= LAST_S
                for s in ("as_of_s", "void_after_s")) and
            all(0 <= segment[ns] < S
                for ns in ("as_of_ns", "void_after_ns")) and
            segment["bound"] >= 0 and segment["drift"] < S and
            0 <= segment["status"] < (3 if layout == 1 else 4))
    if layout == 3:
        good = (good and segment["period"] != 0 and
                segment["period_shift"] <= 63 and
                segment["period_err_shift"] <= 63)
    return good


def project(segment, layout, reading):
    """Elapsed time, the middle, and how fast the half-width grows."""
    drift = Fraction(segment["drift"], 10**9)
    as_of = segment["as_of_s"] * S + segment["as_of_ns"]
    if layout < 3:
        return reading["mono"] - as_of, reading["real"], drift
    period = Fraction(segment["period"] * S,
                      2**(64 + segment["period_shift"]))
    error = Fraction(segment["period_err"],
                     2**(64 + segment["period_err_shift"]))
    elapsed = (reading["counter"] - segment["as_of_tsc"]) * period
    return elapsed, as_of + elapsed, drift + error


def age(segment, layout, elapsed):
    status = STATUSES[segment["status"]]
    lasts = ((segment["void_after_s"] - segment["as_of_s"]) * S +
             segment["void_after_ns"] - segment["as_of_ns"])
    if status not in TRUSTED or elapsed < FRESH[layout]:
        return status
    return FREE if elapsed < lasts else U


def heed_vmclock(segment, layout, status, vmclock):
    if layout == 1 or segment["support"] == 0 or status == DIS:
        return status
    if vmclock is None:
        return U
    if vmclock == segment["marker"]:
        return status
    return DIS if layout == 3 else U


def read(segment, length, reading):
    """An error, or (earliest, latest, status); None: of no matter."""
    layout, error = check_header(segment, length)
    if error is not None:
        return error
    if not check_body(segment, layout):
        return BAD
    elapsed, middle, rate = project(segment, layout, reading)
    status = heed_vmclock(segment, layout, age(segment, layout, elapsed),
                         reading.get("vmclock"))
    if elapsed < 0:
        # On another host the counter may be anywhere.
        if layout == 3 and status == DIS:
            return None, None, status
        if elapsed < -BLUR:
            return BREACH
        middle -= elapsed if layout == 3 else 0
        elapsed = 0
    if status not in TRUSTED:
        return None, None, status
    half = segment["bound"] + elapsed * rate
    return math.floor(middle - half), math.ceil(middle + half), status


#
# The file
#

def show(segment, layout, length):
    """In lines of fields, little-endian; cut off, or zeros beyond the end."""
    groups = []
    for name, size in HEADER + BODY[layout]:
        data = (segment[name] & 2**(8 * size) - 1).to_bytes(size, "little")
        groups.append(data[:length].hex())
        length -= min(length, size)
    groups.append(bytes(length).hex())
    for line in [groups[:5]] + [groups[i:i + 4]
                                for i in range(5, len(groups), 4)]:
        if any(line):
            print("segment", *filter(None, line))


def show_time(name, ns):
    print(name, ns // S, ns % S)


def case(name, expected, layout=2, length=None, real=1700000000 * S,
         elapsed=0, vmclock=(), **changes):
    """elapsed: since as_of, nanoseconds or ticks; vmclock: its marker."""
    segment = a_segment(layout, **changes)
    length = size_of(layout) if length is None else length
    reading = {}
    if layout == 3:
        reading["counter"] = segment["as_of_tsc"] + elapsed
    else:
        reading["real"] = real
        reading["mono"] = segment["as_of_s"] * S + segment["as_of_ns"] + \
            elapsed
    if vmclock != ():
        reading["vmclock"] = vmclock
    answer = read(segment, length, reading)
    is_error = isinstance(answer, str)
    got = answer if is_error else answer[2]
    assert got == expected, f"version {layout}, {name}: {got}"

    print(f"\ncase version {layout}: {name}")
    show(segment, layout, length)
    if layout == 3:
        print("counter", reading["counter"] % 2**64)
    else:
        show_time("real", reading["real"])
        # What cannot be a time is an error before it is used.
        show_time("mono", reading["mono"] if not is_error or
                  answer == BREACH else 1000 * S)
    if vmclock != ():
        print("vmclock", "none" if vmclock is None else vmclock)
    if is_error:
        print("error", answer)
        return
    if got in TRUSTED:
        show_time("earliest", answer[0])
        show_time("latest", answer[1])
    print("status", got)


#
# The cases
#

def headers(layout):
    size = size_of(layout)
    for name, expected, changes in [
            ("as it should be", SYNC, {}),
            ("an empty file", NOT, dict(length=0)),
            ("15 bytes", NOT, dict(length=15)),
            ("the header alone", BAD, dict(length=16)),
            ("a byte is missing", BAD, dict(length=size - 1)),
            ("a longer file", SYNC, dict(length=size + 9)),
            ("the first word of magic", NOT, dict(magic0=MAGIC[0] + 1)),
            ("the second word of magic", NOT, dict(magic1=MAGIC[1] - 1)),
            ("magic in the other byte order", NOT,
             dict(magic0=0x4E5A4D41, magic1=0x00024243)),
            ("not laid out", NOT, dict(version=0)),
            ("never written", NOT, dict(generation=0)),
            ("never whole", NOT, dict(generation=1)),
            ("left odd at the end", NOT, dict(generation=65535)),
            ("the last generation", SYNC, dict(generation=65534)),
            ("segsize 0", BAD, dict(segsize=0)),
            ("segsize a byte less", BAD, dict(segsize=size - 1)),
            ("segsize beyond the file", BAD, dict(segsize=size + 1)),
            ("segsize of all that there is", SYNC,
             dict(segsize=size + 9, length=size + 9)),
            ("the largest segsize", BAD, dict(segsize=2**32 - 1)),
            ("version 4", VER, dict(version=4)),
            ("version 0x0100", VER, dict(version=0x0100)),
            ("version 0x0202", VER, dict(version=0x0202)),
            ("version 3 without the oldest", VER, dict(version=3)),
            ("version 0x0302", VER, dict(version=0x0302)),
            ("version 0x0404", VER, dict(version=0x0404)),
            ("the last version", VER, dict(version=65535)),
            ("an unknown version is one at any length", VER,
             dict(version=9, length=16)),
            ("never written, of an unknown version", NOT,
             dict(version=9, generation=0))]:
        case(name, expected, layout, **changes)


def bodies(layout):
    for of in "as_of", "void_after":
        for name, expected, changes in [
                ("999999999 ns", SYNC, {f"{of}_ns": 999999999}),
                ("10^9 ns", BAD, {f"{of}_ns": 10**9}),
                ("2^32 ns", BAD, {f"{of}_ns": 2**32}),
                ("-1 ns", BAD, {f"{of}_ns": -1}),
                ("the least ns", BAD, {f"{of}_ns": -2**63}),
                ("the last second", SYNC, {f"{of}_s": LAST_S}),
                ("a second more", BAD, {f"{of}_s": LAST_S + 1}),
                ("the most seconds", BAD, {f"{of}_s": 2**63 - 1}),
                ("the first second", SYNC, {f"{of}_s": -LAST_S}),
                ("a second less", BAD, {f"{of}_s": -LAST_S - 1}),
                ("the least seconds", BAD, {f"{of}_s": -2**63})]:
            case(f"{of}: {name}", expected, layout, **changes)
    for name, expected, changes in [
            ("the largest bound", SYNC, dict(bound=2**63 - 1)),
            ("a bound below 0", BAD, dict(bound=-1)),
            ("the least bound", BAD, dict(bound=-2**63)),
            ("the largest drift", SYNC, dict(drift=10**9 - 1)),
            ("a larger drift", BAD, dict(drift=10**9)),
            ("all bits of the drift", BAD, dict(drift=2**32 - 1)),
            ("status 3", BAD if layout == 1 else DIS, dict(status=3)),
            ("status 4", BAD, dict(status=4)),
            ("status 256", BAD, dict(status=256)),
            ("status -1", BAD, dict(status=-1)),
            ("the least status", BAD, dict(status=-2**31))]:
        case(name, expected, layout, **changes)


def ages(layout):
    """By the time since as_of; one is a nanosecond or a tick."""
    second = TICKS if layout == 3 else S
    fresh, void = FRESH[layout] // S * second, 1000 * second
    for name, elapsed, sync, free in [
            ("at as_of", 0, SYNC, FREE),
            ("as long as it lasts", fresh - 1, SYNC, FREE),
            ("no longer", fresh, FREE, FREE),
            ("and after that", fresh + 1, FREE, FREE),
            ("before void_after", void - 1, FREE, FREE),
            ("at void_after", void, U, U),
            ("after it", void + 1, U, U),
            ("a year after", 365 * 86400 * second, U, U)]:
        statuses = [(0, U), (1, sync), (2, free), (3, DIS)]
        for status, expected in statuses[:3 if layout == 1 else 4]:
            case(f"{STATUSES[status]} {name}", expected, layout,
                 elapsed=elapsed, status=status, drift=50000, bound=1234)
    case("void while it is fresh", SYNC, layout, elapsed=fresh - 1,
         void_after_s=a_segment(layout)["as_of_s"] + 1)
    case("void when it is no longer fresh", U, layout, elapsed=fresh,
         void_after_s=a_segment(layout)["as_of_s"] + 1)
    case("void_after with nanoseconds, before", FREE, layout,
         elapsed=999 * second + second // 4 - 1,
         void_after_s=a_segment(layout)["as_of_s"] + 999,
         void_after_ns=250000000)
    case("void_after with nanoseconds, at", U, layout,
         elapsed=999 * second + second // 4,
         void_after_s=a_segment(layout)["as_of_s"] + 999,
         void_after_ns=250000000)


def by_realtime(layout):
    """Versions 1 and 2: around CLOCK_REALTIME, by CLOCK_MONOTONIC."""
    for name, real, elapsed, bound, drift in [
            ("nothing to add", 100 * S + 7, 0, 0, 50000),
            ("1 ns at 1 ppb counts as 1 ns", 100 * S + 7, 1, 0, 1),
            ("no drift, no growth", 100 * S + 7, 4 * S, 12, 0),
            ("4 ms at 50 ppm, exact", 100 * S + 300, 4000000, 0, 50000),
            ("4 ms at 50.001 ppm, not", 100 * S + 300, 4000000, 0, 50001),
            ("1 s, exact", 100 * S + 60000, S, 0, 50000),
            ("1 s and 1 ns, not", 100 * S + 60000, S + 1, 0, 50000),
            ("bound and growth", 100 * S + 60000, 3 * S + 7, 1000, 1003),
            ("the largest drift, 1 ns", 100 * S, 1, 0, 999999999),
            ("the largest drift", 100 * S, 4 * S + 999999999, 0, 999999999),
            ("earliest carries", 100 * S + 9, 0, 10, 0),
            ("earliest does not", 100 * S + 10, 0, 10, 0),
            ("latest carries", 100 * S + 999999990, 0, 10, 0),
            ("latest does not", 100 * S + 999999989, 0, 10, 0),
            ("whole seconds", 100 * S + 999999999, 0, 3 * S, 0),
            ("both carry", 100 * S + 500000000, 0, 3600000000, 0),
            ("before 1970", -5 * S, 0, 1, 0),
            ("around 1970", -500000000, 0, 750000000, 0),
            ("after 2038", 3000000000 * S + 1, 3, 2**40, 77),
            ("1 us before as_of is no time", 100 * S, -1000, 5, 999999999),
            ("1 ns before as_of", 100 * S, -1, 5, 999999999)]:
        case(name, SYNC, layout, real=real, elapsed=elapsed, bound=bound,
             drift=drift)
    case("a carry in the elapsed time", SYNC, layout, as_of_ns=999999999,
         elapsed=2, drift=500000000)
    case("as_of below 0", SYNC, layout, as_of_s=-2, as_of_ns=999999999,
         elapsed=S, drift=50000)
    case("the longest time, the largest numbers", FREE, layout,
         as_of_s=-LAST_S, void_after_s=LAST_S, elapsed=2 * LAST_S * S - 1,
         bound=2**63 - 1, drift=10**9 - 1)
    case("1001 ns before as_of", BREACH, layout, elapsed=-1001)
    case("a day before as_of", BREACH, layout, elapsed=-86400 * S,
         as_of_s=100000)
    case("1001 ns before as_of, unknown", BREACH, layout, elapsed=-1001,
         status=0)
    if layout == 2:
        case("1001 ns before as_of, disrupted", BREACH, layout,
             elapsed=-1001, status=3)


def by_counter():
    third = 2**64 // 3
    for name, elapsed, changes in [
            ("nothing to add", 0, {}),
            ("a tick", 1, {}),
            ("a second in ticks", TICKS, {}),
            ("59 s and 1 tick", 59 * TICKS + 1, {}),
            ("the drift", TICKS, dict(drift=50000)),
            ("1 ns at 1 ppb counts as 1 ns", 2, dict(drift=1)),
            ("the largest drift", 59 * TICKS, dict(drift=10**9 - 1)),
            ("the error of the period", 10 * TICKS,
             dict(period_err=2**63, period_err_shift=16)),
            ("drift and error", 10 * TICKS,
             dict(drift=50000, period_err=third, period_err_shift=9)),
            ("the largest error", TICKS, dict(period_err=2**64 - 1)),
            ("the least error", TICKS,
             dict(period_err=1, period_err_shift=63)),
            ("3 GHz", 3 * 10**8,
             dict(period=2**95 // (3 * 10**9), period_shift=31, bound=50000,
                  drift=50000)),
            ("24 MHz", 24 * 10**5,
             dict(period=2**88 // (24 * 10**6), period_shift=24,
                  drift=50000)),
            ("a tick of a third of a second", 5,
             dict(period=third, period_shift=0)),
            ("the longest tick", 3, dict(period=2**64 - 1, period_shift=0)),
            ("the least tick", 2**62,
             dict(period=1, period_shift=63, drift=999999)),
            ("ticks above 2^32", 2**35,
             dict(period=2**63, period_shift=32, drift=50000)),
            ("the counter rolls over", TICKS,
             dict(as_of_tsc=2**64 - 5, drift=50000)),
            ("earliest carries", 0, dict(as_of_ns=9, bound=10)),
            ("latest carries", 0, dict(as_of_ns=999999990, bound=10)),
            ("both carry", TICKS // 2,
             dict(as_of_ns=600000000, bound=3600000000)),
            ("as_of carries with the time", 2,
             dict(as_of_ns=999999999, drift=500000000)),
            ("before 1970", 3 * TICKS,
             dict(as_of_s=-5, as_of_ns=1, void_after_s=995, drift=77)),
            ("around 1970", TICKS,
             dict(as_of_s=-1, as_of_ns=5, void_after_s=999, drift=77)),
            ("after 2038", TICKS,
             dict(as_of_s=3000000000, void_after_s=3000001000, drift=77)),
            ("the largest bound", TICKS, dict(bound=2**63 - 1, drift=77)),
            ("999 ns before as_of is no time", -1073, dict(bound=5)),
            ("a tick before as_of", -1, dict(bound=5, drift=10**9 - 1))]:
        case(name, SYNC, 3, elapsed=elapsed, **changes)
    case("1002 ns before as_of", BREACH, 3, elapsed=-1076)
    case("a day before as_of", BREACH, 3, elapsed=-86400 * TICKS)
    case("a day before as_of, unknown", BREACH, 3, elapsed=-86400 * TICKS,
         status=0)
    for name, expected, changes in [
            ("a period of 0", BAD, dict(period=0)),
            ("the last period_shift", SYNC, dict(period_shift=63)),
            ("period_shift 64", BAD, dict(period_shift=64)),
            ("period_shift 255", BAD, dict(period_shift=255)),
            ("the last period_err_shift", SYNC, dict(period_err_shift=63)),
            ("period_err_shift 64", BAD, dict(period_err_shift=64)),
            ("period_err_shift 255", BAD, dict(period_err_shift=255)),
            ("version 0x0304, which readers of 0x0303 may use", SYNC,
             dict(version=0x0304)),
            ("version 0x03ff", SYNC, dict(version=0x03FF))]:
        case(name, expected, 3, **changes)


def vmclocks(layout):
    """Young segments, and the marker that the VMClock shows."""
    differs = DIS if layout == 3 else U
    untrusted = (differs, differs, differs, DIS)
    for name, support, vmclock, statuses in [
            ("handled", 1, 7, (U, SYNC, FREE, DIS)),
            ("another", 1, 8, untrusted),
            ("another in its upper half", 1, 7 + 2**32, untrusted),
            ("an earlier one", 1, 6, untrusted),
            ("not to be read", 1, None, (U, U, U, DIS)),
            ("another, and support that is not 1", 255, 8, untrusted),
            ("another, without support", 0, 8, (U, SYNC, FREE, DIS)),
            ("not to be read, without support", 0, None,
             (U, SYNC, FREE, DIS))]:
        for status, expected in enumerate(statuses):
            case(f"{STATUSES[status]}, marker: {name}", expected, layout,
                 status=status, vmclock=vmclock, support=support, marker=7)
    case("the largest marker", SYNC, layout, support=1, vmclock=2**64 - 1,
         marker=2**64 - 1)


def other_hosts():
    """Version 3: a counter far behind as_of_tsc."""
    for name, expected, status, vmclock in [
            ("handled", BREACH, 1, 7),
            ("another", DIS, 1, 8),
            ("another, unknown", DIS, 0, 8),
            ("handled, disrupted", DIS, 3, 7)]:
        case(f"a day before as_of, marker: {name}", expected, 3,
             elapsed=-86400 * TICKS, status=status, vmclock=vmclock,
             support=1, marker=7)


def main():
    print("# Made by generate.py; README.md says what the lines mean.")
    for layout in 1, 2, 3:
        headers(layout)
        bodies(layout)
        ages(layout)
    by_realtime(1)
    by_realtime(2)
    by_counter()
    vmclocks(2)
    vmclocks(3)
    other_hosts()


main()
