/*! A library that is loaded before the C library and makes operations on the database's files fail, on request.
 *
 * It only affects file descriptors whose name contains "ficha.db": the database, its write-ahead log, the index of that
 * log and a rollback journal. What should fail is in a small file, which the test writes and this library maps: see
 * shim.rs, which uses the same offsets. A process without FICHA_SHIM in its environment is not affected.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum class { WRITE, SYNC, TRUNCATE, LOCK, READ, CLASSES };
enum mode { FAIL, SHORT, DELAY };

struct control {
    _Atomic uint32_t armed;     /*  0 */
    _Atomic uint32_t classes;   /*  4: one bit per class */
    _Atomic uint32_t mode;      /*  8 */
    _Atomic uint32_t error;     /* 12: an errno */
    _Atomic uint64_t first;     /* 16: the first operation to fail, counted from 1; 0: only count */
    _Atomic uint64_t how_many;  /* 24: operations in a row */
    _Atomic uint64_t again;     /* 32: one more, later; 0: none */
    _Atomic uint32_t delay;     /* 40: milliseconds */
    _Atomic uint32_t reserved;  /* 44 */
    _Atomic uint64_t counted;   /* 48: operations of the wanted classes while armed */
    _Atomic uint64_t hits;      /* 56: those that failed, were cut short or delayed */
    _Atomic uint64_t seen[CLASSES]; /* 64: operations of each class while armed */
};

_Static_assert(sizeof(struct control) == 104, "shim.rs uses these offsets");

static struct control *control;

/* Descriptors above this are ignored: a server under test has far fewer. */
enum { DESCRIPTORS = 65536 };
static _Atomic uint8_t watched[DESCRIPTORS];

/* The definition that this one overrides. Two threads that look it up at once find the same. */
#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FICHA_SHIM");
    if (!path) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (at != MAP_FAILED) control = at;
}

static void opened(int fd) {
    if (!control || fd < 0 || fd >= DESCRIPTORS) return;
    char link[64], name[4096];
    /* Without the C library's own formatting, which may allocate. */
    char *end = link + sizeof link - 1, digits[12];
    int count = 0, rest = fd;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    strcpy(link, "/proc/self/fd/");
    char *to = link + strlen(link);
    while (count && to < end) *to++ = digits[--count];
    *to = 0;
    int saved = errno;
    ssize_t length = readlink(link, name, sizeof name - 1);
    errno = saved;
    if (length < 0) return;
    name[length] = 0;
    watched[fd] = strstr(name, "ficha.db") != NULL;
}

static int is_watched(int fd) {
    return control && fd >= 0 && fd < DESCRIPTORS && watched[fd];
}

enum verdict { GO_ON, REFUSE, HALF };

/* Counts an operation and decides what happens to it. */
static enum verdict judge(int fd, enum class class) {
    if (!is_watched(fd) || !control->armed) return GO_ON;
    control->seen[class]++;
    if (!(control->classes & (1u << class))) return GO_ON;
    uint64_t number = ++control->counted;
    uint64_t first = control->first;
    if (!first) return GO_ON;
    int hit = (number >= first && number - first < control->how_many) || (control->again && number == control->again);
    if (!hit) return GO_ON;
    control->hits++;
    switch (control->mode) {
    case DELAY: {
        struct timespec time = {control->delay / 1000, (long)(control->delay % 1000) * 1000000};
        int saved = errno;
        nanosleep(&time, NULL);
        errno = saved;
        return GO_ON;
    }
    case SHORT:
        /* Like a disk that fills up: what fits is written, and the next write fails. */
        if (class == WRITE && number == first) return HALF;
        break;
    }
    errno = (int)control->error;
    return REFUSE;
}

#define JUDGE_WRITE(fd, size) \
    do { \
        enum verdict verdict = judge(fd, WRITE); \
        if (verdict == REFUSE) return -1; \
        if (verdict == HALF && (size) > 1) (size) /= 2; \
    } while (0)

ssize_t write(int fd, const void *from, size_t size) {
    NEXT(write);
    JUDGE_WRITE(fd, size);
    return next(fd, from, size);
}

ssize_t pwrite(int fd, const void *from, size_t size, off_t at) {
    NEXT(pwrite);
    JUDGE_WRITE(fd, size);
    return next(fd, from, size, at);
}

ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) {
    NEXT(pwrite64);
    JUDGE_WRITE(fd, size);
    return next(fd, from, size, at);
}

int fallocate(int fd, int mode, off_t at, off_t size) {
    NEXT(fallocate);
    if (judge(fd, WRITE) != GO_ON) return -1;
    return next(fd, mode, at, size);
}

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
    NEXT(fallocate64);
    if (judge(fd, WRITE) != GO_ON) return -1;
    return next(fd, mode, at, size);
}

/* These two return the error. */
int posix_fallocate(int fd, off_t at, off_t size) {
    NEXT(posix_fallocate);
    if (judge(fd, WRITE) != GO_ON) return (int)control->error;
    return next(fd, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
    NEXT(posix_fallocate64);
    if (judge(fd, WRITE) != GO_ON) return (int)control->error;
    return next(fd, at, size);
}

ssize_t read(int fd, void *to, size_t size) {
    NEXT(read);
    if (judge(fd, READ) != GO_ON) return -1;
    return next(fd, to, size);
}

ssize_t pread(int fd, void *to, size_t size, off_t at) {
    NEXT(pread);
    if (judge(fd, READ) != GO_ON) return -1;
    return next(fd, to, size, at);
}

ssize_t pread64(int fd, void *to, size_t size, off64_t at) {
    NEXT(pread64);
    if (judge(fd, READ) != GO_ON) return -1;
    return next(fd, to, size, at);
}

int fsync(int fd) {
    NEXT(fsync);
    if (judge(fd, SYNC) != GO_ON) return -1;
    return next(fd);
}

int fdatasync(int fd) {
    NEXT(fdatasync);
    if (judge(fd, SYNC) != GO_ON) return -1;
    return next(fd);
}

int ftruncate(int fd, off_t size) {
    NEXT(ftruncate);
    if (judge(fd, TRUNCATE) != GO_ON) return -1;
    return next(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    NEXT(ftruncate64);
    if (judge(fd, TRUNCATE) != GO_ON) return -1;
    return next(fd, size);
}

/* Releasing a lock never fails on any known system. */
static int takes_lock(int command, const void *argument) {
    return (command == F_SETLK || command == F_SETLKW) && ((const struct flock *)argument)->l_type != F_UNLCK;
}

int fcntl(int fd, int command, ...) {
    NEXT(fcntl);
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (takes_lock(command, argument) && judge(fd, LOCK) != GO_ON) return -1;
    int done = next(fd, command, argument);
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) opened(done);
    return done;
}

int fcntl64(int fd, int command, ...) {
    NEXT(fcntl64);
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (takes_lock(command, argument) && judge(fd, LOCK) != GO_ON) return -1;
    int done = next(fd, command, argument);
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) opened(done);
    return done;
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
    NEXT(open);
    MODE_OF(flags);
    int fd = next(path, flags, mode);
    opened(fd);
    return fd;
}

int open64(const char *path, int flags, ...) {
    NEXT(open64);
    MODE_OF(flags);
    int fd = next(path, flags, mode);
    opened(fd);
    return fd;
}

int openat(int folder, const char *path, int flags, ...) {
    NEXT(openat);
    MODE_OF(flags);
    int fd = next(folder, path, flags, mode);
    opened(fd);
    return fd;
}

int openat64(int folder, const char *path, int flags, ...) {
    NEXT(openat64);
    MODE_OF(flags);
    int fd = next(folder, path, flags, mode);
    opened(fd);
    return fd;
}

int close(int fd) {
    NEXT(close);
    if (fd >= 0 && fd < DESCRIPTORS) watched[fd] = 0;
    return next(fd);
}
