/* Makes calls that change files below FAULT_UNDER fail, or ends the process, from the FAULT_AT-th on.
 * FAULT_KIND: "full" (no space left), "broken" (input/output error) or "kill". With FAULT_LOG, the number of
 * calls is written there at the end. Built and preloaded by faults.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static long calls = 0;

static int below(const char *path) {
    const char *under = getenv("FAULT_UNDER");
    return under && path && strncmp(path, under, strlen(under)) == 0;
}

static int is_open_below(int fd) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

/* Whether this call shall fail; sets errno. */
static int fails(void) {
    long number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    const char *at = getenv("FAULT_AT"), *kind = getenv("FAULT_KIND");
    if (!at || number < atol(at)) return 0;
    if (!strcmp(kind, "kill")) kill(getpid(), SIGKILL);
    errno = strcmp(kind, "broken") ? ENOSPC : EIO;
    return 1;
}

__attribute__((destructor)) static void report(void) {
    const char *log = getenv("FAULT_LOG");
    FILE *file = log ? fopen(log, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", calls);
    fclose(file);
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return is_open_below(fd) && fails() ? -1 : real(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return is_open_below(fd) && fails() ? -1 : real(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return is_open_below(fd) && fails() ? -1 : real(fd, data, size, at);
}
int fsync(int fd) {
    REAL(int, "fsync", int);
    return is_open_below(fd) && fails() ? -1 : real(fd);
}
int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return is_open_below(fd) && fails() ? -1 : real(fd);
}
int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return below(to) && fails() ? -1 : real(from, to);
}
int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    return below(path) && fails() ? -1 : real(path, mode);
}
int symlink(const char *to, const char *path) {
    REAL(int, "symlink", const char *, const char *);
    return below(path) && fails() ? -1 : real(to, path);
}
static int creates(const char *path, int flags) { return (flags & O_CREAT) && below(path); }
int open(const char *path, int flags, ...) {
    REAL(int, "open", const char *, int, ...);
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);
    return creates(path, flags) && fails() ? -1 : real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...);
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);
    return creates(path, flags) && fails() ? -1 : real(path, flags, mode);
}
/* ClickHouse renames without replacing by this one. */
long syscall(long number, ...) {
    REAL(long, "syscall", long, long, long, long, long, long, long);
    va_list rest; va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
    long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_renameat2 && below((const char *)d) && fails()) return -1;
    return real(number, a, b, c, d, e, f);
}
/* chDB is loaded so that it finds the C library before what is preloaded. */
void *dlopen(const char *name, int flags) {
    REAL(void *, "dlopen", const char *, int);
    return real(name, flags & ~RTLD_DEEPBIND);
}
