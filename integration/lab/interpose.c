/* Baked into a repacked mysqld so that it declares another version than the one that it was built as.
 *
 * Debian carries one MySQL version at a time, and what Group Replication allows between versions is decided on the
 * version that a server declares. So the same binary under several declared versions gives real mixed groups. It does
 * not change the format of the data directory.
 *
 *   -DDECLARED="\"9.7.3\""   the version to declare
 *   -DREFUSE_TO_START        also a server that will not start: its unix socket cannot be bound. mysqld has opened and
 *                            written the data directory by then, says what it lacks in its own error log with its own
 *                            codes, and aborts by its own path.
 *
 * server_version is an exported variable of mysqld, set early in main. It is overwritten at library calls that mysqld
 * makes after that and before each of the places where the version is shown or sent.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void overwrite(const char *symbol)
{
    char *version = dlsym(RTLD_DEFAULT, symbol);
    if (version && version[0] && strcmp(version, DECLARED))
        strcpy(version, DECLARED); /* both variables are far longer than any version */
}

static void declare(void)
{
    overwrite("server_version");
    overwrite("server_version_with_update");
}

#define REAL(name)                           \
    static __typeof__(name) *real;           \
    if (!real)                               \
    real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* before the first line of the error log ("starting as process ...") */
pid_t getpid(void)
{
    REAL(getpid);
    declare();
    return real();
}

int chdir(const char *path)
{
    REAL(chdir);
    declare();
    return real(path);
}

/* before a plugin reads the version, Group Replication's among them */
void *dlopen(const char *file, int mode)
{
    REAL(dlopen);
    declare();
    return real(file, mode);
}

int listen(int fd, int backlog)
{
    REAL(listen);
    declare();
    return real(fd, backlog);
}

#ifdef REFUSE_TO_START
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    REAL(bind);
    if (address->sa_family == AF_UNIX) {
        errno = EIO;
        return -1;
    }
    return real(fd, address, length);
}
#endif

/* `mysqld --version` */
int __printf_chk(int flag, const char *format, ...)
{
    va_list arguments;
    (void)flag;
    declare();
    va_start(arguments, format);
    int n = vprintf(format, arguments);
    va_end(arguments);
    return n;
}

int puts(const char *line)
{
    REAL(puts);
    declare();
    return real(line);
}
