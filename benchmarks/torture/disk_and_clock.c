/* A disk and a clock that a test controls while a process runs. Built and preloaded by preloading.py.
 * TORTURE_CONTROL is a file with a struct control, shared with the test; TORTURE_UNDER is the folder whose
 * files are concerned; TORTURE_JOURNAL (if set) gets a line for each new file, write and sync, from which
 * power_loss.py knows what a power loss would have lost. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, RENAME = 4 };

struct control {
    long calls;      /* calls of the chosen kinds so far */
    long kinds;      /* which calls count */
    long from, most; /* the calls from the from-th on, at most so many, fail */
    long number;     /* with this errno; 0: no call fails; -1: the process is killed */
    long sync_us;    /* how much longer a sync takes */
    long clock_s;    /* how far the wall clock is set forward */
};

static struct control none, *control = &none;
static int journal = -1;
static const char *under;

__attribute__((constructor)) static void set_up(void) {
    const char *path = getenv("TORTURE_CONTROL"), *kept = getenv("TORTURE_JOURNAL");
    under = getenv("TORTURE_UNDER");
    int fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR, 0) : -1;
    if (fd < 0) return;
    void *shared = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED) control = shared;
    if (kept) journal = syscall(SYS_openat, AT_FDCWD, kept, O_WRONLY | O_CREAT | O_APPEND, 0600);
}

static int is_below(const char *path) { return under && path && !strncmp(path, under, strlen(under)); }

static int is_open_below(int fd) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* Whether this call shall fail; sets errno. */
static int fails(long kind) {
    if (!(control->kinds & kind)) return 0;
    long call = __atomic_add_fetch(&control->calls, 1, __ATOMIC_SEQ_CST);
    if (!control->number || call < control->from || call >= control->from + control->most) return 0;
    if (control->number < 0) kill(getpid(), SIGKILL);
    errno = (int)control->number;
    return 1;
}

static void note(char what, int fd) {
    struct stat found;
    char line[96];
    if (journal < 0 || fstat(fd, &found) || !S_ISREG(found.st_mode)) return;
    int size = snprintf(line, sizeof line, "%c %lu %ld\n", what, (unsigned long)found.st_ino, (long)found.st_size);
    if (syscall(SYS_write, journal, line, size) < 0) _exit(99);
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
#define WRITING(call) \
    if (!is_open_below(fd)) return call; \
    if (fails(WRITE)) return -1; \
    note('W', fd); \
    return call

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    WRITING(real(fd, data, size));
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    WRITING(real(fd, data, size, at));
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    WRITING(real(fd, data, size, at));
}
static int synced(int fd, int (*real)(int)) {
    if (!is_open_below(fd)) return real(fd);
    if (control->sync_us) usleep((useconds_t)control->sync_us);
    if (fails(SYNC)) return -1;
    int result = real(fd);
    if (!result) note('S', fd);
    return result;
}
int fsync(int fd) { REAL(int, "fsync", int); return synced(fd, real); }
int fdatasync(int fd) { REAL(int, "fdatasync", int); return synced(fd, real); }
int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return is_below(to) && fails(RENAME) ? -1 : real(from, to);
}
static int made(int fd, const char *path, int flags) {
    if (fd >= 0 && (flags & (O_CREAT | O_TRUNC)) && is_below(path)) {
        struct stat found;
        if (!fstat(fd, &found) && !found.st_size) note('N', fd);
    }
    return fd;
}
int open(const char *path, int flags, ...) {
    REAL(int, "open", const char *, int, ...);
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);
    return made(real(path, flags, mode), path, flags);
}
int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...);
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);
    return made(real(path, flags, mode), path, flags);
}
/* ClickHouse renames without replacing by this one. */
long syscall(long number, ...) {
    REAL(long, "syscall", long, long, long, long, long, long, long);
    va_list rest; va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
    long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_renameat2 && is_below((const char *)d) && fails(RENAME)) return -1;
    return real(number, a, b, c, d, e, f);
}
static int is_wall(clockid_t which) { return which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE; }
int clock_gettime(clockid_t which, struct timespec *now) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int result = real(which, now);
    if (!result && is_wall(which)) now->tv_sec += control->clock_s;
    return result;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    REAL(int, "gettimeofday", struct timeval *restrict, void *restrict);
    int result = real(now, zone);
    if (!result) now->tv_sec += control->clock_s;
    return result;
}
time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}
/* chDB is loaded so that it finds the C library before what is preloaded. */
void *dlopen(const char *name, int flags) {
    REAL(void *, "dlopen", const char *, int);
    return real(name, flags & ~RTLD_DEEPBIND);
}
