/* Starts programs by each way there is, and says which of them have worked: children COMMAND */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char **command;
extern char **environ;

static void wait_for(const char *name, pid_t child)
{
	int status = -1;
	waitpid(child, &status, 0);
	printf("%s %d\n", name, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	fflush(stdout);
}

static int run_clone(void *unused)
{
	(void)unused;
	execv(command[0], command);
	return 127;
}

static void *run_thread(void *unused)
{
	(void)unused;
	pid_t child;
	if (posix_spawn(&child, command[0], NULL, NULL, command, environ) == 0)
		wait_for("thread", child);
	return NULL;
}

int main(int count, char **arguments)
{
	pthread_t thread;
	pid_t child;

	(void)count;
	command = arguments + 1;
	if ((child = fork()) == 0)
		_exit(run_clone(NULL));
	wait_for("fork", child);
	if ((child = vfork()) == 0)
		_exit(run_clone(NULL));
	wait_for("vfork", child);
	if (posix_spawn(&child, command[0], NULL, NULL, command, environ) == 0)
		wait_for("spawn", child);
	char *stack = malloc(65536);
	wait_for("clone", clone(run_clone, stack + 65536, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
	pthread_create(&thread, NULL, run_thread, NULL);
	pthread_join(thread, NULL);
	/* A program that has no name. */
	int memory = memfd_create("program", 0), file = open(command[0], O_RDONLY);
	char block[65536];
	for (ssize_t size; (size = read(file, block, sizeof(block))) > 0;)
		if (write(memory, block, (size_t)size) != size)
			return 1;
	if ((child = fork()) == 0) {
		fexecve(memory, command, environ);
		_exit(errno);
	}
	wait_for("fexecve", child);
	/* A child that has ended and was not waited for can be signalled. */
	if ((child = fork()) == 0)
		_exit(0);
	siginfo_t ended;
	waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT);
	printf("zombie %d\n", kill(child, 0));
	wait_for("ended", child);
	return 0;
}
