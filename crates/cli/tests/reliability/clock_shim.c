/*! A library that is loaded before the C library and sets the wall clock of one process only.
 *
 * The offset in seconds is in a small file, which the test writes and this library maps: the clock jumps between two
 * reads, as when an administrator sets it. Clocks of elapsed time (CLOCK_BOOTTIME, CLOCK_MONOTONIC) are not affected.
 * The boot id is read from the file that FICHA_CLOCK_SHIM_BOOT names, instead of the kernel's own. A process without
 * FICHA_CLOCK_SHIM in its environment is not affected.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* NULL: the clock is right. */
static const _Atomic int64_t *ahead;
static const char *boot;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FICHA_CLOCK_SHIM");
    if (!path) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (at != MAP_FAILED) ahead = at;
    boot = getenv("FICHA_CLOCK_SHIM_BOOT");
}

/* Asks the kernel directly: this may be called before a symbol look-up would work. */
int clock_gettime(clockid_t id, struct timespec *time) {
    int outcome = (int)syscall(SYS_clock_gettime, id, time);
    if (outcome == 0 && ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) time->tv_sec += *ahead;
    return outcome;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    /* The zone is unspecified on Linux, and not used here. */
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME_COARSE, &now)) return (time_t)-1;
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}

static int open_another(const char *path, int flags, mode_t mode) {
    if (boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) path = boot;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list list; \
        va_start(list, flags); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags);
    return open_another(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags);
    return open_another(path, flags, mode);
}
