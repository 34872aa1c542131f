/* What the launcher looks at when it is run inside a sandbox as a stranger would be: `launcher --self-test INSIDE OUTSIDE`.
 * It prints what it found as NAME=NUMBER, and leaves the judgement to whoever asked. */
#ifndef SELF_TEST_H
#define SELF_TEST_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t now_nanoseconds(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Of one stat(2): for 10 ms, or 2000 calls. */
static long measure_stat(const char *path)
{
	struct stat status;
	int64_t start = now_nanoseconds(), end = start;
	int count = 0;

	while (count < 2000 && end - start < 10000000) {
		for (int i = 0; i < 20; i++, count++)
			if (stat(path, &status) < 0)
				return -1;
		end = now_nanoseconds();
	}
	return (long)((end - start) / count);
}

static int opens(const char *path)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor >= 0)
		close(descriptor);
	return descriptor >= 0;
}

/* openat2(2), which PRoot does not translate. */
static int opens_untranslated(const char *path)
{
	struct { uint64_t flags, mode, resolve; } how = { O_RDONLY | O_CLOEXEC, 0, 0 };
	long descriptor = syscall(437, AT_FDCWD, path, &how, sizeof(how));
	if (descriptor >= 0)
		close((int)descriptor);
	return descriptor >= 0;
}

static int creates(const char *path)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (descriptor >= 0) {
		close(descriptor);
		unlink(path);
	}
	return descriptor >= 0;
}

static int run_self_test(const char *inside, const char *outside)
{
	printf("inside=%d outside=%d untranslated=%d write=%d stat=%ld\n", opens(inside), opens(outside),
	       opens_untranslated(outside), creates("/self-test-write"), measure_stat(inside));
	return 0;
}

#endif
