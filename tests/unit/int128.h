/* SPDX-License-Identifier: ISC */
/*
 * Integers of 128 bits, also where they are C23's alone.
 */
#ifndef INT128_H
#define INT128_H

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;
#else
__extension__ typedef _BitInt(128) int128;
__extension__ typedef unsigned _BitInt(128) uint128;
#endif

#endif
