/* A wall clock of the host's own, for hosts that share one kernel's clock. Loaded into every program of a host that was booted with
 * `up --own-clock on`; `lab.sh clock HOST SECONDS` sets how far it is ahead of the machine's. Only the wall clock moves, as when a time daemon
 * steps it: the monotonic clock goes on as it was. The host's PID 1 keeps the machine's time.
 *
 * A wait until a time of the wall clock is handed to the kernel in the machine's time. What is waiting already when the clock is
 * set waits as long as it would have.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead; /* seconds; NULL: not there, so the machine's time */

__attribute__((constructor)) static void find(void)
{
    if (getpid() == 1)
        return;
    int file = open("/etc/lab-clock", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    void *seen = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (seen != MAP_FAILED)
        ahead = seen;
    close(file);
}

static int64_t offset(void) { return ahead ? *ahead : 0; }

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

static void *next(const char *name, const char *version)
{
    void *found = dlvsym(RTLD_NEXT, name, version);
    return found ? found : dlsym(RTLD_NEXT, name);
}

#define REAL(name, version)                  \
    static __typeof__(name) *real;           \
    if (!real)                               \
    real = (__typeof__(name) *)next(#name, version)

int clock_gettime(clockid_t clock, struct timespec *now)
{
    REAL(clock_gettime, "GLIBC_2.17");
    int failed = real(clock, now);
    if (!failed && is_wall(clock))
        now->tv_sec += offset();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec wall;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &wall);
    now->tv_sec = wall.tv_sec;
    now->tv_usec = wall.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME_COARSE, &wall);
    if (now)
        *now = wall.tv_sec;
    return wall.tv_sec;
}

static struct timespec machines(const struct timespec *until)
{
    struct timespec when = *until;
    when.tv_sec -= offset();
    if (when.tv_sec < 0)
        when.tv_sec = 0;
    return when;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    REAL(pthread_cond_timedwait, "GLIBC_2.3.2");
    /* A condition variable may have been made for the monotonic clock, whose times are small. */
    struct timespec when = until->tv_sec > 1000000000 ? machines(until) : *until;
    return real(cond, mutex, &when);
}

int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, clockid_t clock,
                           const struct timespec *restrict until)
{
    REAL(pthread_cond_clockwait, "GLIBC_2.30");
    struct timespec when = is_wall(clock) ? machines(until) : *until;
    return real(cond, mutex, clock, &when);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    REAL(pthread_mutex_timedlock, "GLIBC_2.2.5");
    struct timespec when = machines(until);
    return real(mutex, &when);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    REAL(sem_timedwait, "GLIBC_2.2.5");
    struct timespec when = machines(until);
    return real(semaphore, &when);
}
