/* What the launcher and the user-namespace sandbox have in common: how they fail, and how a program is started clean. */
#ifndef PROCESS_H
#define PROCESS_H

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As env(1), nohup(1) and docker-run(1) tell them apart from the program's own exit status. */
#define EXIT_SETUP 125
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

extern const char *const program_name;

__attribute__((noreturn, format(printf, 2, 3))) static void fail(int error, const char *format, ...)
{
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	dprintf(2, "%s: %s%s%s\n", program_name, message, error ? ": " : "", error ? strerror(error) : "");
	_exit(EXIT_SETUP);
}

/* Descriptors that the caller left open would be doors out of the sandbox. */
static void close_inherited(int first)
{
	DIR *directory;
	struct dirent *entry;

#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
#endif
	directory = opendir("/proc/self/fd");
	if (!directory) {
		long last = sysconf(_SC_OPEN_MAX);
		for (int descriptor = first; descriptor < (last > 0 ? last : 1024); descriptor++)
			close(descriptor);
		return;
	}
	while ((entry = readdir(directory))) {
		int descriptor = atoi(entry->d_name);
		if (descriptor >= first && descriptor != dirfd(directory))
			close(descriptor);
	}
	closedir(directory);
}

/* Signals as a login shell leaves them: JavaScript runtimes ignore SIGPIPE, and tools expect to die of it. */
static void reset_signals(void)
{
	struct sigaction action;
	sigset_t none;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	for (int number = 1; number < 65; number++)
		sigaction(number, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Replaces this process by the program, found along PATH where its name has no slash; says why where it can't. */
__attribute__((noreturn, unused)) static void run_program(char **arguments)
{
	execvp(arguments[0], arguments);
	int error = errno;
	dprintf(2, "%s: %s: %s\n", program_name, arguments[0], strerror(error));
	_exit(error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

#endif
