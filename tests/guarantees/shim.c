/*
 * Stands between the service and the C library, by LD_PRELOAD, and does what
 * the orders say at the n-th call of one kind:
 *
 *   ACTION CALL FILE N
 *
 * ACTION  kill-before, kill-after, or the number of an error to answer with,
 *         from the n-th call on; tell only tells of them
 * CALL    pwrite64, fdatasync, sync_file_range, fsync, write, rename, send
 *         (send stands for writev and sendmsg, too); step is each of them but
 *         send, and each mkdir, unlink, ftruncate and open that may make a file
 * FILE    a part of the file's path; "socket:" for a socket. A socket counts
 *         only once the database was synced since the orders came.
 *
 * The orders are the file that SHIM_ORDERS names; until it is there, nothing
 * happens. What was done is told in the same name with .done, a line each: the
 * time in milliseconds since the Unix epoch, and the call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static atomic_int armed, calls, synced;
static char action[16], call[24], file[128];
static int from, error;

static void read_orders(void) {
  static atomic_flag busy = ATOMIC_FLAG_INIT;
  char text[256];
  const char *path = getenv("SHIM_ORDERS");
  if (!path || atomic_flag_test_and_set(&busy)) return;
  long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd >= 0) {
    long length = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    if (length > 0) {
      text[length] = 0;
      if (sscanf(text, "%15s %23s %127s %d", action, call, file, &from) == 4) {
        error = atoi(action);
        atomic_store(&armed, 1);
      }
    }
  }
  atomic_flag_clear(&busy);
}

static void tell(const char *what) {
  char path[512], line[128];
  struct timespec now;
  snprintf(path, sizeof path, "%s.done", getenv("SHIM_ORDERS"));
  clock_gettime(CLOCK_REALTIME, &now);
  int length = snprintf(line, sizeof line, "%lld %s\n",
                        now.tv_sec * 1000LL + now.tv_nsec / 1000000, what);
  long fd = syscall(SYS_openat, AT_FDCWD, path,
                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  syscall(SYS_write, fd, line, length);
  syscall(SYS_close, fd);
}

static void end(const char *what) {
  tell(what);
  syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
  for (;;) pause();
}

static int is_meant(const char *what, int fd, const char *path) {
  char link[64], target[512];
  if (!atomic_load(&armed)) read_orders();
  if (!atomic_load(&armed)) return 0;
  if (strcmp(what, call) && (strcmp(call, "step") || !strcmp(what, "send"))) return 0;
  if (!path) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, target, sizeof target - 1);
    if (length < 0) return 0;
    target[length] = 0;
    path = target;
  }
  if (!strstr(path, file)) return 0;
  if (!strcmp(file, "socket:") && !atomic_load(&synced)) return 0;
  return atomic_fetch_add(&calls, 1) + 1 >= from;
}

/* Runs the call, unless something else is ordered. */
#define INSTEAD(what, fd, path, real)                             \
  do {                                                            \
    int meant = is_meant(what, fd, path);                         \
    if (meant && !strcmp(action, "kill-before")) end(what);       \
    if (meant && !strcmp(action, "tell")) tell(what);             \
    if (meant && error) {                                         \
      tell(what);                                                 \
      errno = error;                                              \
      return -1;                                                  \
    }                                                             \
    long result = real;                                           \
    if (meant && !strcmp(action, "kill-after")) end(what);        \
    return result;                                                \
  } while (0)

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  INSTEAD("pwrite64", fd, NULL, syscall(SYS_pwrite64, fd, bytes, count, at));
}

static int sync_data(int fd) {
  long result = syscall(SYS_fdatasync, fd);
  if (result == 0 && atomic_load(&armed)) atomic_store(&synced, 1);
  return result;
}

int fdatasync(int fd) { INSTEAD("fdatasync", fd, NULL, sync_data(fd)); }

int fsync(int fd) { INSTEAD("fsync", fd, NULL, syscall(SYS_fsync, fd)); }

int sync_file_range(int fd, off64_t at, off64_t count, unsigned flags) {
  INSTEAD("sync_file_range", fd, NULL,
          syscall(SYS_sync_file_range, fd, at, count, flags));
}

ssize_t write(int fd, const void *bytes, size_t count) {
  INSTEAD("write", fd, NULL, syscall(SYS_write, fd, bytes, count));
}

int rename(const char *old, const char *new) {
  INSTEAD("rename", -1, old, syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, 0));
}

int mkdir(const char *path, mode_t mode) {
  INSTEAD("mkdir", -1, path, syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int unlink(const char *path) {
  INSTEAD("unlink", -1, path, syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int ftruncate64(int fd, off64_t length) {
  INSTEAD("ftruncate", fd, NULL, syscall(SYS_ftruncate, fd, length));
}

static int open_at(const char *path, int flags, mode_t mode) {
  if (!(flags & O_CREAT)) return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  INSTEAD("open", -1, path, syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_at(path, flags, mode);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
  INSTEAD("send", fd, NULL, syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  INSTEAD("send", fd, NULL, syscall(SYS_writev, fd, parts, count));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  INSTEAD("send", fd, NULL, syscall(SYS_sendmsg, fd, message, flags));
}
