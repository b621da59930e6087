/* Lets what reaches the disk fail, as a file says. Preloaded into the gateway by the tests of disk.rs.
 *
 * The file named by DISK_FAULT holds one letter: f (full: no file of the store may grow), s (a sync fails),
 * w (a write fails), r (the file system has turned read-only), h (a sync hangs until it no longer says so); anything
 * else, and all is well. Only files whose name
 * holds "heliograph.db" are concerned. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char fault(int fd) {
    char link[64], name[512], letter = '-';
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) return '-';
    name[length] = 0;
    if (!strstr(name, "heliograph.db")) return '-';
    const char *said = getenv("DISK_FAULT");
    int file = said ? open(said, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return '-';
    if (syscall(SYS_read, file, &letter, 1) != 1) letter = '-';
    close(file);
    return letter;
}

/* The error of writing so much there, or 0. */
static int refusal(int fd, off_t end) {
    struct stat now;
    switch (fault(fd)) {
    case 'w': return EIO;
    case 'r': return EROFS;
    case 'f': return fstat(fd, &now) == 0 && end > now.st_size ? ENOSPC : 0;
    default: return 0;
    }
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSE(error) do { int no = (error); if (no) { errno = no; return -1; } } while (0)

ssize_t write(int fd, const void *bytes, size_t count) {
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at >= 0) REFUSE(refusal(fd, at + (off_t)count));
    return REAL(write)(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    REFUSE(refusal(fd, at + (off_t)count));
    return REAL(pwrite)(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REFUSE(refusal(fd, at + (off_t)count));
    return REAL(pwrite64)(fd, bytes, count, at);
}

static void hang(int fd) {
    while (fault(fd) == 'h') usleep(5000);
}

int fsync(int fd) {
    hang(fd);
    REFUSE(fault(fd) == 's' ? EIO : 0);
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    hang(fd);
    REFUSE(fault(fd) == 's' ? EIO : 0);
    return REAL(fdatasync)(fd);
}
