/* SPDX-License-Identifier: ISC */
/*
 * Included before all else in each file of the library: what it calls of the
 * system comes by failure.c, which may have it fail.
 */
#ifndef FAILING_H
#define FAILING_H

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void *failing_calloc(size_t, size_t);
void *failing_mmap(void *, size_t, int, int, int, off_t);
int failing_bind(int, const struct sockaddr *, socklen_t);
int failing_clock_gettime(clockid_t, struct timespec *);
int failing_close(int);
int failing_connect(int, const struct sockaddr *, socklen_t);
int failing_fchmod(int, mode_t);
int failing_fcntl(int, int, ...);
int failing_fstat(int, struct stat *);
int failing_ftruncate(int, off_t);
int failing_mkdir(const char *, mode_t);
int failing_open(const char *, int, ...);
int failing_openat(int, const char *, int, ...);
ssize_t failing_pread(int, void *, size_t, off_t);
ssize_t failing_recv(int, void *, size_t, int);
int failing_rename(const char *, const char *);
int failing_renameat(int, const char *, int, const char *);
ssize_t failing_send(int, const void *, size_t, int);
int failing_setsockopt(int, int, int, const void *, socklen_t);
int failing_socket(int, int, int);
int failing_unlinkat(int, const char *, int);
ssize_t failing_write(int, const void *, size_t);

#define calloc(...)		failing_calloc(__VA_ARGS__)
#define mmap(...)		failing_mmap(__VA_ARGS__)
#define bind(...)		failing_bind(__VA_ARGS__)
#define clock_gettime(...)	failing_clock_gettime(__VA_ARGS__)
#define close(...)		failing_close(__VA_ARGS__)
#define connect(...)		failing_connect(__VA_ARGS__)
#define fchmod(...)		failing_fchmod(__VA_ARGS__)
#define fcntl(...)		failing_fcntl(__VA_ARGS__)
#define fstat(...)		failing_fstat(__VA_ARGS__)
#define ftruncate(...)		failing_ftruncate(__VA_ARGS__)
#define mkdir(...)		failing_mkdir(__VA_ARGS__)
#define open(...)		failing_open(__VA_ARGS__)
#define openat(...)		failing_openat(__VA_ARGS__)
#define pread(...)		failing_pread(__VA_ARGS__)
#define recv(...)		failing_recv(__VA_ARGS__)
#define rename(...)		failing_rename(__VA_ARGS__)
#define renameat(...)		failing_renameat(__VA_ARGS__)
#define send(...)		failing_send(__VA_ARGS__)
#define setsockopt(...)		failing_setsockopt(__VA_ARGS__)
#define socket(...)		failing_socket(__VA_ARGS__)
#define unlinkat(...)		failing_unlinkat(__VA_ARGS__)
#define write(...)		failing_write(__VA_ARGS__)

#endif
