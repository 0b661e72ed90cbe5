/* SPDX-License-Identifier: ISC */
/*
 * C11's memory for Promela: relaxed, acquire and release, loads, stores and
 * fences, with all that they leave open.  A model defines LOCATIONS, of which
 * there are 4 at most, THREADS and MESSAGES, and takes this in.
 *
 * A location keeps every value that was ever stored: a message, numbered from
 * 0.  A view says, for each location, which message is the oldest that may
 * still be read.  Each thread has a view, and a load takes any message that is
 * not older: nothing makes it see the newest.  What a message carries is a
 * view as well, and whoever synchronises with it takes that on:
 *
 *	a release store		carries the view of its thread
 *	a relaxed store		carries the view at the last release fence
 *	an acquire load		takes on what the message carries
 *	a relaxed load		leaves it to the next acquire fence
 *
 * A relaxed store does not carry on what an earlier release store of its thread
 * began: less than what C11 promises, and all that C++20 does.
 *
 * C11 allows more than this in two ways only.  A load may read what is stored
 * later, where that store depends on the load: no reader here stores anything.
 * And stores of two threads to one location may come in either order: here
 * there is one writer at a time.  One that takes over has waited for a lock,
 * so that it knows all that its predecessor did.
 */
typedef view {
	byte at[4]
};

typedef message {
	byte value;
	view carried
};

typedef location {
	byte last;
	message is[MESSAGES]
};

typedef thread {
	view now;
	view loaded;		/* for the next acquire fence */
	view fenced		/* at the last release fence */
};

mtype = { RELAXED, ACQUIRE, RELEASE };

location memory[LOCATIONS];
thread threads[THREADS];
byte pick;

#define LATER(a, b)	((a) > (b) -> (a) : (b))

inline join(to, from)
{
	to.at[0] = LATER(to.at[0], from.at[0]);
	to.at[1] = LATER(to.at[1], from.at[1]);
	to.at[2] = LATER(to.at[2], from.at[2]);
	to.at[3] = LATER(to.at[3], from.at[3])
}

inline copy(to, from)
{
	to.at[0] = from.at[0];
	to.at[1] = from.at[1];
	to.at[2] = from.at[2];
	to.at[3] = from.at[3]
}

inline clear(to)
{
	to.at[0] = 0;
	to.at[1] = 0;
	to.at[2] = 0;
	to.at[3] = 0
}

inline load(self, where, order, to)
{
	atomic {
		select(pick : threads[self].now.at[where] ..
		    memory[where].last);
		to = memory[where].is[pick].value;
		threads[self].now.at[where] = pick;
		join(threads[self].loaded, memory[where].is[pick].carried);
		if
		:: order == ACQUIRE -> join(threads[self].now,
		    memory[where].is[pick].carried)
		:: else
		fi;
		pick = 0
	}
}

inline store(self, where, order, from)
{
	atomic {
		memory[where].last++;
		pick = memory[where].last;
		memory[where].is[pick].value = from;
		threads[self].now.at[where] = pick;
		if
		:: order == RELEASE -> copy(memory[where].is[pick].carried,
		    threads[self].now)
		:: else -> copy(memory[where].is[pick].carried,
		    threads[self].fenced)
		fi;
		memory[where].is[pick].carried.at[where] = pick;
		pick = 0
	}
}

inline acquire_fence(self)
{
	atomic {
		join(threads[self].now, threads[self].loaded)
	}
}

inline release_fence(self)
{
	atomic {
		copy(threads[self].fenced, threads[self].now)
	}
}
