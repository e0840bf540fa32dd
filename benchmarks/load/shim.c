/* A file share's slowness for one folder: every read, write, lock and sync of a file below IB_NET_PREFIX waits for IB_NET_DELAY_US and for its
   bytes at IB_NET_BYTES_PER_S, and is counted in the shared file IB_NET_COUNTERS (operations, bytes, waiting microseconds; 8 bytes each). All
   processes share one line: the fourth number there is when it is free again (nanoseconds of the monotonic clock). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 4096
static unsigned char remote[MAX_FD];
static const char *prefix;
static size_t prefix_len;
static long delay_us, bytes_per_s;
static volatile uint64_t *counters;

#define REAL(type, name, ...) static type (*real_##name)(__VA_ARGS__)
REAL(int, open, const char *, int, ...);
REAL(int, open64, const char *, int, ...);
REAL(int, openat, int, const char *, int, ...);
REAL(int, openat64, int, const char *, int, ...);
REAL(int, close, int);
REAL(ssize_t, pread64, int, void *, size_t, off_t);
REAL(ssize_t, pwrite64, int, const void *, size_t, off_t);
REAL(ssize_t, read, int, void *, size_t);
REAL(ssize_t, write, int, const void *, size_t);
REAL(int, fsync, int);
REAL(int, fdatasync, int);
REAL(int, fcntl, int, int, ...);
REAL(int, fcntl64, int, int, ...);
REAL(int, flock, int, int);
REAL(int, ftruncate64, int, off_t);

__attribute__((constructor)) static void start(void) {
#define FIND(name) real_##name = dlsym(RTLD_NEXT, #name)
    FIND(open); FIND(open64); FIND(openat); FIND(openat64); FIND(close); FIND(pread64); FIND(pwrite64); FIND(read); FIND(write);
    FIND(fsync); FIND(fdatasync); FIND(fcntl); FIND(fcntl64); FIND(flock); FIND(ftruncate64);
    prefix = getenv("IB_NET_PREFIX");
    const char *delay = getenv("IB_NET_DELAY_US"), *speed = getenv("IB_NET_BYTES_PER_S"), *file = getenv("IB_NET_COUNTERS");
    if (!prefix || !file) { prefix = NULL; return; }
    prefix_len = strlen(prefix);
    delay_us = delay ? atol(delay) : 0;
    bytes_per_s = speed ? atol(speed) : 0;
    int fd = real_open(file, O_RDWR);
    if (fd >= 0) {
        void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) counters = map;
        real_close(fd);
    }
}

static void note(int fd, const char *path) {
    if (fd < 0 || fd >= MAX_FD) return;
    char real[PATH_MAX];
    remote[fd] = prefix && realpath(path, real) && strncmp(real, prefix, prefix_len) == 0;
}

/* Nanoseconds until bytes have passed the line that all users share. */
static uint64_t through(size_t bytes) {
    if (!bytes_per_s || !bytes) return 0;
    uint64_t need = bytes * 1000000000ull / bytes_per_s;
    if (!counters) return need;
    struct timespec clock;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    uint64_t now = clock.tv_sec * 1000000000ull + clock.tv_nsec, free_at, end;
    do {
        free_at = counters[3];
        end = (free_at > now ? free_at : now) + need;
    } while (!__sync_bool_compare_and_swap(&counters[3], free_at, end));
    return end - now;
}

static void travel(int fd, size_t bytes) {
    if (fd < 0 || fd >= MAX_FD || !remote[fd]) return;
    int saved = errno;
    uint64_t us = delay_us + through(bytes) / 1000;
    if (counters) {
        __sync_fetch_and_add(&counters[0], 1);
        __sync_fetch_and_add(&counters[1], bytes);
        __sync_fetch_and_add(&counters[2], us);
    }
    if (us) {
        struct timespec wait = {us / 1000000, (us % 1000000) * 1000};
        while (nanosleep(&wait, &wait) && errno == EINTR) {}
    }
    errno = saved;
}

#define OPENER(name, before, ...)                                     \
    {                                                                 \
        mode_t mode = 0;                                              \
        if (flags & (O_CREAT | O_TMPFILE)) {                          \
            va_list rest; va_start(rest, flags);                      \
            mode = va_arg(rest, int); va_end(rest);                   \
        }                                                             \
        int fd = real_##name(before path, flags, mode);               \
        note(fd, path);                                               \
        travel(fd, 0);                                                \
        return fd;                                                    \
    }
#define NOTHING
int open(const char *path, int flags, ...) OPENER(open, NOTHING)
int open64(const char *path, int flags, ...) OPENER(open64, NOTHING)
#define COMMA ,
int openat(int at, const char *path, int flags, ...) OPENER(openat, at COMMA)
int openat64(int at, const char *path, int flags, ...) OPENER(openat64, at COMMA)

int close(int fd) {
    if (fd >= 0 && fd < MAX_FD) remote[fd] = 0;
    return real_close(fd);
}

ssize_t pread64(int fd, void *to, size_t n, off_t at) { travel(fd, n); return real_pread64(fd, to, n, at); }
ssize_t pread(int fd, void *to, size_t n, off_t at) { travel(fd, n); return real_pread64(fd, to, n, at); }
ssize_t pwrite64(int fd, const void *from, size_t n, off_t at) { travel(fd, n); return real_pwrite64(fd, from, n, at); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) { travel(fd, n); return real_pwrite64(fd, from, n, at); }
ssize_t read(int fd, void *to, size_t n) { travel(fd, n); return real_read(fd, to, n); }
ssize_t write(int fd, const void *from, size_t n) { travel(fd, n); return real_write(fd, from, n); }
int fsync(int fd) { travel(fd, 0); return real_fsync(fd); }
int fdatasync(int fd) { travel(fd, 0); return real_fdatasync(fd); }
int flock(int fd, int how) { travel(fd, 0); return real_flock(fd, how); }
int ftruncate64(int fd, off_t n) { travel(fd, 0); return real_ftruncate64(fd, n); }
int ftruncate(int fd, off_t n) { travel(fd, 0); return real_ftruncate64(fd, n); }

#define CONTROL(name)                                                                            \
    int name(int fd, int what, ...) {                                                            \
        va_list rest; va_start(rest, what);                                                      \
        void *argument = va_arg(rest, void *); va_end(rest);                                     \
        if (what == F_SETLK || what == F_SETLKW || what == F_GETLK) travel(fd, 0);               \
        return real_##name ? real_##name(fd, what, argument) : real_fcntl(fd, what, argument);   \
    }
CONTROL(fcntl)
CONTROL(fcntl64)
