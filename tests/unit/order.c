/* SPDX-License-Identifier: ISC */
/*
 * seqlock.h itself, on all that C11's memory allows.  Its loads, stores and
 * fences are done here, on a memory that keeps every value ever stored; a load
 * may take any that is not too old, and each way that a reader can go is gone.
 * What a fence does, or leaves out, shows here on any machine.
 *
 * The memory is that of tests/model/memory.pml, which says why no more is
 * allowed.  A reader stores nothing, and a load may take what is as old as it
 * likes: so the writers can be run first, and nothing is missed by it.
 */
#include <setjmp.h>
#include <stdatomic.h>
#include <string.h>

#include "test.h"

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_thread_fence
#define atomic_load_explicit(from, order) \
	_Generic(*(from), uint16_t: load_16, default: load)((from), (order))
#define atomic_store_explicit(to, value, order) store((to), (value), (order))
#define atomic_thread_fence(order) fence(order)

static uint32_t load(const volatile void *, memory_order);
static uint16_t load_16(const volatile void *, memory_order);
static void store(const volatile void *, uint32_t, memory_order);
static void fence(memory_order);

#include "seqlock.h"

#define WORDS		2
#define LOCATIONS	(1 + WORDS)
#define WRITES		3
#define STORES		(2 + WORDS)	/* of a write */
#define MESSAGES	(2 * WRITES + 1)
#define READS		2
#define NO_DEATH	UINT32_MAX

/* Of each location the oldest message that may still be read. */
struct view {
	unsigned at[LOCATIONS];
};

struct message {
	uint32_t value;
	struct view carried;
};

struct thread {
	struct view now;
	struct view loaded;	/* for the next acquire fence */
	struct view fenced;	/* at the last release fence */
};

/* What is left out of seqlock.h. */
enum fault {
	NONE, RELEASE_FENCE, ACQUIRE_FENCE, RELEASE_STORE, ACQUIRE_LOAD
};

/* Their addresses alone count. */
static _Atomic uint16_t generation;
static _Atomic uint32_t body[WORDS];

static struct message memory[LOCATIONS][MESSAGES];
static unsigned last[LOCATIONS];
static struct thread writer, reader, *self;
static enum fault fault;
static uint32_t stores_to_live;
static jmp_buf death;

/* The way that is gone, and how many others there are at each fork. */
static struct {
	unsigned taken, of;
} way[64];
static size_t forks, passed;

static unsigned
choose(unsigned of)
{
	/* No fork.  A writer comes to none. */
	if (of == 1)
		return 0;
	if (passed == forks) {
		way[forks].taken = 0;
		way[forks++].of = of;
	}
	return way[passed++].taken;
}

/* False when all ways were gone. */
static bool
has_next_way(void)
{
	passed = 0;
	while (forks > 0 && ++way[forks - 1].taken == way[forks - 1].of)
		forks--;
	return forks > 0;
}

static size_t
location_of(const volatile void *p)
{
	for (size_t i = 0; i < WORDS; i++)
		if (p == &body[i])
			return 1 + i;
	CHECK(p == &generation);
	return 0;
}

static void
join(struct view *to, const struct view *from)
{
	for (size_t i = 0; i < LOCATIONS; i++)
		if (to->at[i] < from->at[i])
			to->at[i] = from->at[i];
}

static uint32_t
load(const volatile void *from, memory_order order)
{
	size_t where = location_of(from);
	unsigned oldest = self->now.at[where];
	unsigned pick = oldest + choose(last[where] - oldest + 1);
	const struct message *m = &memory[where][pick];

	self->now.at[where] = pick;
	join(&self->loaded, &m->carried);
	if (order == memory_order_acquire && fault != ACQUIRE_LOAD)
		join(&self->now, &m->carried);
	return m->value;
}

static uint16_t
load_16(const volatile void *from, memory_order order)
{
	return (uint16_t)load(from, order);
}

static void
store(const volatile void *to, uint32_t value, memory_order order)
{
	size_t where = location_of(to);
	struct message *m;

	if (stores_to_live-- == 0)
		longjmp(death, 1);
	m = &memory[where][++last[where]];
	self->now.at[where] = last[where];
	m->value = value;
	m->carried = order == memory_order_release && fault != RELEASE_STORE ?
	    self->now : self->fenced;
	m->carried.at[where] = last[where];
}

static void
fence(memory_order order)
{
	if (order == memory_order_release && fault != RELEASE_FENCE)
		self->fenced = self->now;
	if (order == memory_order_acquire && fault != ACQUIRE_FENCE)
		join(&self->now, &self->loaded);
}

/*
 * Each write puts its number into every word.  After so many stores a writer
 * dies; the next one has waited for its lock, and knows what it did.
 */
static void
write_all(uint16_t first, uint32_t death_at, uint16_t generation_of[])
{
	volatile uint32_t n;
	uint32_t words[WORDS];

	memset(memory, 0, sizeof(memory));
	memset(last, 0, sizeof(last));
	memset(&writer, 0, sizeof(writer));
	self = &writer;
	memory[0][0].value = generation_of[0] = first;
	stores_to_live = death_at;
	for (n = 1; n <= WRITES; n++) {
		for (size_t i = 0; i < WORDS; i++)
			words[i] = n;
		generation_of[n] = 0;
		if (setjmp(death) == 0) {
			cb_seqlock_write(&generation, body, words, WORDS);
			generation_of[n] = (uint16_t)memory[0][last[0]].value;
		} else {
			writer = (struct thread){ .now = writer.now };
			stores_to_live = NO_DEATH;
		}
	}
}

struct tally {
	unsigned taken;
	unsigned kept;
	unsigned wrong;		/* torn, old, or older than one before */
};

/* Some reads in a row, one way. */
static void
read_some(const uint16_t generation_of[], struct tally *t)
{
	uint32_t copy[WORDS], before = 0;
	uint16_t seen = 0;
	bool is_whole;

	reader = (struct thread){ .now = { .at = { 0 } } };
	self = &reader;
	for (int i = 0; i < READS; i++) {
		if (seen != 0 && cb_seqlock_is_current(&generation, seen)) {
			t->kept++;
			continue;
		}
		if (!cb_seqlock_read(&generation, body, copy, WORDS, &seen))
			continue;
		is_whole = copy[0] <= WRITES &&
		    generation_of[copy[0]] == seen && copy[0] >= before;
		for (size_t j = 1; j < WORDS; j++)
			is_whole = is_whole && copy[j] == copy[0];
		t->taken++;
		t->wrong += !is_whole;
		before = copy[0];
	}
}

/* All ways, beside a writer that dies at any of its stores or at none. */
static struct tally
tally_up(uint16_t first, enum fault f)
{
	uint16_t generation_of[WRITES + 1];
	struct tally t = { 0 };

	fault = f;
	for (uint32_t at = 0; at <= WRITES * STORES; at++) {
		write_all(first, at, generation_of);
		do
			read_some(generation_of, &t);
		while (has_next_way());
	}
	return t;
}

static void
no_copy_is_wrong_and_each_order_is_needed(void)
{
	static const struct {
		const char *name;
		enum fault fault;
	} rows[] = {
		{ "W1 without its fence", RELEASE_FENCE },
		{ "R3 without its fence", ACQUIRE_FENCE },
		{ "W3 relaxed", RELEASE_STORE },
		{ "R1 relaxed", ACQUIRE_LOAD }
	};
	static const uint16_t firsts[] = { 0, 4, 65532, 65534 };

	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct tally t = tally_up(firsts[i], NONE);

		CHECK_EQ(t.wrong, 0);
		CHECK(t.taken > 0);
		CHECK(t.kept > 0);
		for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
			test_row = rows[j].name;
			CHECK(tally_up(firsts[i], rows[j].fault).wrong > 0);
		}
		test_row = "";
	}
}

int
main(void)
{
	no_copy_is_wrong_and_each_order_is_needed();
	return test_done();
}
