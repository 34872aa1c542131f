/* Measures what a sandbox costs: bench FILE. Prints NAME=NANOSECONDS for one call each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static const char *program, *file;
static int descriptor;
static char buffer[4096];

static void do_stat(void) { struct stat status; if (stat(file, &status) < 0) exit(1); }
static void do_open(void) { int opened = open(file, O_RDONLY); if (opened < 0) exit(1); close(opened); }
static void do_read(void) { if (pread(descriptor, buffer, 64, 0) < 0) exit(1); }
static void do_write(void) { if (pwrite(descriptor, buffer, 64, 0) < 0) exit(1); }
static void do_spawn(void)
{
	char *arguments[] = { (char *)program, NULL };
	pid_t child;
	int status;
	if (posix_spawn(&child, program, NULL, NULL, arguments, environ) != 0 || waitpid(child, &status, 0) != child || status != 0)
		exit(1);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/* The best of several rounds of some 20 ms: what else the machine does only ever adds. */
static void measure(const char *name, void (*work)(void))
{
	double best = 1e18;
	for (int round = 0; round < 8; round++) {
		int count = 0;
		double start = now(), end = start;
		while (end - start < 2e7) {
			for (int i = 0; i < 4; i++, count++)
				work();
			end = now();
		}
		if ((end - start) / count < best)
			best = (end - start) / count;
	}
	printf("%s=%.0f\n", name, best);
}

int main(int count, char **arguments)
{
	/* Run by do_spawn. */
	if (count < 2)
		return 0;
	program = arguments[0];
	file = arguments[1];
	descriptor = open(file, O_RDWR | O_CREAT, 0600);
	if (descriptor < 0 || write(descriptor, buffer, sizeof(buffer)) < 0)
		return 1;
	measure("stat", do_stat);
	measure("open", do_open);
	measure("read", do_read);
	measure("write", do_write);
	measure("fork+exec", do_spawn);
	return 0;
}
