/* A disk that fills up, or a process that dies, at the n-th call that changes a file in a folder.
 *
 * Built by `cc` when the tests run and put in front of libc with LD_PRELOAD (Linux). It looks only
 * at files below FAULT_FOLDER and counts the calls of the kinds in FAULT_CALLS over all processes
 * that have it, in the shared file FAULT_COUNTER (two 64-bit numbers: calls, faults).
 *
 *   FAULT_MODE  count  only counts
 *               full   the n-th call and every later one fail with ENOSPC
 *               once   the n-th call fails with ENOSPC, the later ones work
 *               kill   SIGKILL right after the n-th call was carried out
 *               tear   half of the n-th write is carried out, then SIGKILL
 *   FAULT_AT    n, from 1
 *   FAULT_CALLS any of: w (write, truncate, allocate), s (fsync, fdatasync),
 *               n (a file or folder made, renamed or linked)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum verdict { CARRY_OUT, FAIL, THEN_DIE, TEAR };

static struct { _Atomic uint64_t calls, faults; } *counter;
static char folder[PATH_MAX];
static size_t folder_length;
static char mode;
static uint64_t at;
static const char *kinds;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void set_up(void) {
    const char *where = getenv("FAULT_FOLDER"), *file = getenv("FAULT_COUNTER");
    const char *how = getenv("FAULT_MODE"), *when = getenv("FAULT_AT");
    kinds = getenv("FAULT_CALLS");
    if (!where || !file || !how || !kinds) return;
    int descriptor = REAL(open)(file, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return;
    void *shared = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (shared == MAP_FAILED) return;
    folder_length = (size_t)snprintf(folder, sizeof folder, "%s/", where);
    mode = how[0];
    at = when ? strtoull(when, NULL, 10) : 0;
    counter = shared;
}

/* What is to become of a call of this kind on a path below the folder. */
static enum verdict judge(char kind) {
    if (!strchr(kinds, kind)) return CARRY_OUT;
    uint64_t number = ++counter->calls;
    int now = number == at || (mode == 'f' && number > at);
    if (mode == 'c' || !now) return CARRY_OUT;
    counter->faults++;
    if (mode == 'k') return THEN_DIE;
    return mode == 't' ? TEAR : FAIL;
}

static enum verdict judge_path(const char *path, char kind) {
    char whole[PATH_MAX];
    if (!counter || !path) return CARRY_OUT;
    if (path[0] != '/') {
        if (!getcwd(whole, sizeof whole)) return CARRY_OUT;
        size_t length = strlen(whole);
        snprintf(whole + length, sizeof whole - length, "/%s", path);
        path = whole;
    }
    return strncmp(path, folder, folder_length) ? CARRY_OUT : judge(kind);
}

static enum verdict judge_file(int descriptor, char kind) {
    char link[40], path[PATH_MAX];
    if (!counter) return CARRY_OUT;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < (ssize_t)folder_length) return CARRY_OUT;
    path[length] = 0;
    return strncmp(path, folder, folder_length) ? CARRY_OUT : judge(kind);
}

static void die(void) { kill(getpid(), SIGKILL); }

/* Carries out a call that gives -1 on failure, as the verdict says. `torn` does half of it. */
#define OBEY(type, ruling, whole, torn)           \
    do {                                          \
        enum verdict told = (ruling);             \
        if (told == FAIL) {                       \
            errno = ENOSPC;                       \
            return -1;                            \
        }                                         \
        if (told == TEAR) {                       \
            (void)!(torn);                        \
            die();                                \
        }                                         \
        type result = (whole);                    \
        if (told == THEN_DIE) die();              \
        return result;                            \
    } while (0)

ssize_t write(int fd, const void *data, size_t size) {
    OBEY(ssize_t, judge_file(fd, 'w'), REAL(write)(fd, data, size),
         REAL(write)(fd, data, size / 2));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t place) {
    OBEY(ssize_t, judge_file(fd, 'w'), REAL(pwrite)(fd, data, size, place),
         REAL(pwrite)(fd, data, size / 2, place));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t place) {
    OBEY(ssize_t, judge_file(fd, 'w'), REAL(pwrite64)(fd, data, size, place),
         REAL(pwrite64)(fd, data, size / 2, place));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    OBEY(ssize_t, judge_file(fd, 'w'), REAL(writev)(fd, parts, count),
         REAL(writev)(fd, parts, count / 2));
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t place) {
    OBEY(ssize_t, judge_file(fd, 'w'), REAL(pwritev)(fd, parts, count, place),
         REAL(pwritev)(fd, parts, count / 2, place));
}

int ftruncate(int fd, off_t size) {
    OBEY(int, judge_file(fd, 'w'), REAL(ftruncate)(fd, size), 0);
}

int ftruncate64(int fd, off64_t size) {
    OBEY(int, judge_file(fd, 'w'), REAL(ftruncate64)(fd, size), 0);
}

int fallocate(int fd, int how, off_t place, off_t size) {
    OBEY(int, judge_file(fd, 'w'), REAL(fallocate)(fd, how, place, size), 0);
}

int fallocate64(int fd, int how, off64_t place, off64_t size) {
    OBEY(int, judge_file(fd, 'w'), REAL(fallocate64)(fd, how, place, size), 0);
}

/* These two give the error itself. */
int posix_fallocate(int fd, off_t place, off_t size) {
    enum verdict told = judge_file(fd, 'w');
    if (told == FAIL) return ENOSPC;
    int result = REAL(posix_fallocate)(fd, place, size);
    if (told != CARRY_OUT) die();
    return result;
}

int posix_fallocate64(int fd, off64_t place, off64_t size) {
    enum verdict told = judge_file(fd, 'w');
    if (told == FAIL) return ENOSPC;
    int result = REAL(posix_fallocate64)(fd, place, size);
    if (told != CARRY_OUT) die();
    return result;
}

int fsync(int fd) { OBEY(int, judge_file(fd, 's'), REAL(fsync)(fd), 0); }

int fdatasync(int fd) { OBEY(int, judge_file(fd, 's'), REAL(fdatasync)(fd), 0); }

/* A file that is there already is only opened. */
static enum verdict judge_open(const char *path, int flags) {
    if (!counter || !(flags & O_CREAT) || access(path, F_OK) == 0) return CARRY_OUT;
    return judge_path(path, 'n');
}

#define MODE_OF(flags)                 \
    mode_t permissions = 0;            \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest;                  \
        va_start(rest, flags);         \
        permissions = va_arg(rest, mode_t); \
        va_end(rest);                  \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    OBEY(int, judge_open(path, flags), REAL(open)(path, flags, permissions), 0);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    OBEY(int, judge_open(path, flags), REAL(open64)(path, flags, permissions), 0);
}

int openat(int base, const char *path, int flags, ...) {
    MODE_OF(flags)
    OBEY(int, path[0] == '/' ? judge_open(path, flags) : CARRY_OUT,
         REAL(openat)(base, path, flags, permissions), 0);
}

int mkdir(const char *path, mode_t permissions) {
    OBEY(int, access(path, F_OK) ? judge_path(path, 'n') : CARRY_OUT,
         REAL(mkdir)(path, permissions), 0);
}

int rename(const char *from, const char *to) {
    OBEY(int, judge_path(to, 'n'), REAL(rename)(from, to), 0);
}

int link(const char *from, const char *to) {
    OBEY(int, judge_path(to, 'n'), REAL(link)(from, to), 0);
}
