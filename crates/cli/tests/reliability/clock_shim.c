/*! A library that is loaded before the C library and sets the wall clock of one process, and of nobody else.
 *
 * By how many seconds it is wrong stands in a small file, which the test writes and this maps: a jump comes between two
 * looks at the clock, as when an administrator sets it. What counts the time that has passed (CLOCK_BOOTTIME,
 * CLOCK_MONOTONIC) is left alone. Which boot of the machine it is stands in the file that FICHA_CLOCK_SHIM_BOOT names,
 * in place of the kernel's own. A process that has no FICHA_CLOCK_SHIM in its environment is left alone too.
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

/* Without one, the clock is right. */
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

/* Asked of the kernel itself: the C library's own may be asked before a look-up of it would work. */
int clock_gettime(clockid_t id, struct timespec *time) {
    int outcome = (int)syscall(SYS_clock_gettime, id, time);
    if (outcome == 0 && ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) time->tv_sec += *ahead;
    return outcome;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    /* What the zone says is unspecified on Linux; nobody asks. */
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
