/* How long a program takes from its start to its end: start TIMES COMMAND [ARGUMENT]... prints the shortest time and
 * the least time of processors in nanoseconds. It is started by a small process, as the fork of a large one would take longer than many a program. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/* Of this process and those that it has waited for, and so on. */
static double processors(void)
{
	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

static double run(char **command)
{
	double start = now();
	pid_t child;
	int status;

	if (posix_spawnp(&child, command[0], NULL, NULL, command, environ) != 0 || waitpid(child, &status, 0) != child || status != 0) {
		fprintf(stderr, "%s does not run here\n", command[0]);
		exit(1);
	}
	return now() - start;
}

int main(int count, char **arguments)
{
	int times = count > 2 ? atoi(arguments[1]) : 0;
	double best = 0, least = 0;

	if (times < 1)
		return 2;
	for (int i = 0; i < times; i++) {
		double before = processors(), time = run(arguments + 2), used = processors() - before;
		if (i == 0 || time < best)
			best = time;
		if (i == 0 || used < least)
			least = used;
	}
	fprintf(stderr, "start=%.0f cpu=%.0f\n", best, least);
	return 0;
}
