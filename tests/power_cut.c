/* Records what a process does to the files of one folder, so that a test can play a power cut: preload it into the process.

   POWER_DIR is that folder, POWER_LOG where the records go, one file per process, POWER_LOG/PID. A record is a header, the path, the bytes.
   It is written after the call it is about, under one lock: the order of records is the order of calls, and a call that was killed before
   its record counts as not made, which a power cut may always bring about. The file POWER_LOG/stop has a number: at so many writes and
   truncations the process kills itself, so that the power goes between a write and its sync. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct header { uint32_t what, path; int64_t offset, length; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_file = -1;
static pid_t log_of;
static long left = -1;

static void record(char what, const char *path, size_t length_of_path, int64_t offset, const void *bytes, int64_t length)
{
    if (log_of != getpid()) { /* a fork has a log of its own */
        char name[PATH_MAX];
        snprintf(name, sizeof name, "%s/%d", getenv("POWER_LOG"), (int)getpid());
        log_file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        log_of = getpid();
        snprintf(name, sizeof name, "%s/stop", getenv("POWER_LOG"));
        FILE *stop = fopen(name, "r");
        if (!stop || fscanf(stop, "%ld", &left) != 1) left = -1;
        if (stop) fclose(stop);
    }
    struct header header = {(uint32_t)what, (uint32_t)length_of_path, offset, length};
    struct iovec parts[] = {{&header, sizeof header}, {(void *)path, length_of_path}, {(void *)bytes, bytes ? (size_t)length : 0}};
    if (writev(log_file, parts, 3) < 0) abort();
    if ((what == 'W' || what == 'T') && !strstr(path, "-shm") && left > 0 && !--left) raise(SIGKILL);
}

static int ours(const char *path)
{
    const char *folder = getenv("POWER_DIR");
    return folder && getenv("POWER_LOG") && !strncmp(path, folder, strlen(folder)) && path[strlen(folder)] == '/';
}

/* The path of an open file of the folder, or NULL. */
static const char *place(int fd, char *path)
{
    struct stat found;
    char link[64];
    if (fstat(fd, &found) || !S_ISREG(found.st_mode)) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    return ours(path) ? path : NULL;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define PWRITE(name, offset_type)                                                                  \
    ssize_t name(int fd, const void *bytes, size_t length, offset_type offset)                     \
    {                                                                                              \
        REAL(name);                                                                                \
        char path[PATH_MAX];                                                                       \
        if (!place(fd, path)) return real(fd, bytes, length, offset);                              \
        pthread_mutex_lock(&lock);                                                                 \
        ssize_t done = real(fd, bytes, length, offset);                                            \
        if (done > 0) record('W', path, strlen(path), offset, bytes, done);                        \
        pthread_mutex_unlock(&lock);                                                               \
        return done;                                                                               \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t length)
{
    REAL(write);
    char path[PATH_MAX];
    if (!place(fd, path)) return real(fd, bytes, length);
    pthread_mutex_lock(&lock);
    ssize_t done = real(fd, bytes, length);
    if (done > 0) record('W', path, strlen(path), lseek(fd, 0, SEEK_CUR) - done, bytes, done);
    pthread_mutex_unlock(&lock);
    return done;
}

#define SYNC(name)                                                                                 \
    int name(int fd)                                                                               \
    {                                                                                              \
        REAL(name);                                                                                \
        char path[PATH_MAX];                                                                       \
        if (!place(fd, path)) return real(fd);                                                     \
        pthread_mutex_lock(&lock);                                                                 \
        int failed = real(fd);                                                                     \
        if (!failed) record('S', path, strlen(path), 0, NULL, 0);                                  \
        pthread_mutex_unlock(&lock);                                                               \
        return failed;                                                                             \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name, length_type)                                                                \
    int name(int fd, length_type length)                                                           \
    {                                                                                              \
        REAL(name);                                                                                \
        char path[PATH_MAX];                                                                       \
        if (!place(fd, path)) return real(fd, length);                                             \
        pthread_mutex_lock(&lock);                                                                 \
        int failed = real(fd, length);                                                             \
        if (!failed) record('T', path, strlen(path), length, NULL, 0);                             \
        pthread_mutex_unlock(&lock);                                                               \
        return failed;                                                                             \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int unlink(const char *path)
{
    REAL(unlink);
    if (!ours(path)) return real(path);
    pthread_mutex_lock(&lock);
    int failed = real(path);
    if (!failed) record('U', path, strlen(path), 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    if (!ours(from) || !ours(to)) return real(from, to);
    pthread_mutex_lock(&lock);
    int failed = real(from, to);
    if (!failed) record('R', from, strlen(from), 0, to, (int64_t)strlen(to));
    pthread_mutex_unlock(&lock);
    return failed;
}
