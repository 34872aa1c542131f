/* Prepares a process for PRoot and becomes it:
 *
 *   launcher [OPTION]... -- COMMAND [ARGUMENT]...
 *   launcher --features
 *   launcher --self-test INSIDE OUTSIDE    (self-test.h)
 *
 * Always: no new privileges (setuid programs have no effect), the escape guard (guard.h), no inherited descriptors above
 * 2, signals at their defaults.
 *
 *   --no-network       no network but the loopback device: in a network namespace of its own where the kernel gives one
 *                      to the user, otherwise by PRoot's word (PROOT_LOOPBACK_ONLY=1 is set for it)
 *   --own-network      puts the command, and so all that it starts, into a network namespace that has nothing but the
 *                      loopback device, and does nothing else; fails where the kernel gives none
 *   --write PATH       writing only here and where else it is named (Landlock); may be repeated
 *   --read PATH        reading and executing only here and where else it is named, --write included; may be repeated
 *   --fake-root VIEW PLACE, --link[-ro] HOST GUEST, --show PATH
 *                      make PLACE a root for fakechroot (fake-root.h) of the root file system VIEW, of what is bound
 *                      into it, and of paths that mean the same inside
 *   --devices PATH     make PATH a directory that can be bound as /dev: links, places for devices, an empty shm
 *   --no-32-bit        refuse the system calls of 32-bit programs
 *   --limit NAME=N     a resource limit: cpu, fsize, data, stack, core, nofile, as, nproc
 *   --die-with-parent  SIGKILL when the parent ends
 *
 * Landlock, and the network namespace, are used where the kernel has them and silently left out where it has not:
 * `--features` tells which. Without seccomp nothing is run (kernels before 3.5; RHEL 6 has it from 2.6.32-431 on), as the
 * guard can't be left out; --no-guard is for the self-test that says so.
 *
 * Exit status: the command's; 125 when something could not be set up, 126 when the command could not be executed, 127 when
 * there is none. Needs nothing of a kernel newer than 2.6.32 but what is said above.
 */
#include "fake-root.h"
#include "guard.h"
#include "landlock.h"
#include "process.h"
#include "self-test.h"

#include <net/if.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define CLONE_NEW_NETWORK 0x40000000

const char *const program_name = "launcher";

struct options {
	int no_network, own_network, no_guard, no_32_bit, die_with_parent;
	char **paths; /* pairs: "--read" or "--write", and the path */
	int path_count, with_reading;
	struct fake_root root;
};

static int write_file(const char *path, const char *text)
{
	int descriptor = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (descriptor < 0)
		return errno;
	if (write(descriptor, text, strlen(text)) < 0)
		error = errno;
	close(descriptor);
	return error;
}

/* A network namespace with nothing but `lo`, in a user namespace where the user is the same. Returns 0, or an errno. */
static int enter_network(void)
{
	struct ifreq request;
	char map[64];
	unsigned uid = geteuid(), gid = getegid();
	int error, descriptor;

	if (unshare(CLONE_NEW_USER | CLONE_NEW_NETWORK) < 0)
		return errno;
	/* Absent before 3.19, needed after. */
	error = write_file("/proc/self/setgroups", "deny");
	if (error != 0 && error != ENOENT)
		fail(error, "/proc/self/setgroups");
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if ((error = write_file("/proc/self/uid_map", map)) != 0)
		fail(error, "/proc/self/uid_map");
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	if ((error = write_file("/proc/self/gid_map", map)) != 0)
		fail(error, "/proc/self/gid_map");

	memset(&request, 0, sizeof(request));
	strcpy(request.ifr_name, "lo");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	descriptor = socket(AF_INET, SOCK_DGRAM, 0);
	if (descriptor < 0 || ioctl(descriptor, SIOCSIFFLAGS, &request) < 0)
		fail(errno, "the loopback device");
	close(descriptor);
	return 0;
}

/* Whether enter_network would work, tried in a child, as a namespace cannot be left again. */
static int has_network_namespaces(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		close(2);
		_exit(enter_network() == 0 ? 0 : 1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void restrict_files(const struct options *options)
{
	struct landlock landlock;
	int error;

	if (options->path_count == 0 || landlock_open(&landlock, options->with_reading) != 0)
		return;
	for (int i = 0; i < options->path_count; i++) {
		const char *option = options->paths[2 * i], *path = options->paths[2 * i + 1];
		error = landlock_allow(&landlock, path, landlock_read | (strcmp(option, "--write") == 0 ? landlock_write : 0));
		/* What is not there can't be granted, and needs not be. */
		if (error != 0 && error != ENOENT)
			fail(error, "%s %s", option, path);
	}
	/* Redirections that the caller made may be opened again by name: /dev/stdout. */
	for (int descriptor = 0; descriptor < 3; descriptor++) {
		char path[32];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
		struct stat status;
		/* Not to be written to, where the caller opened them for reading: an input is often the standard input. */
		uint64_t more = (fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_RDONLY ? 0 : LANDLOCK_WRITE_FILE | LANDLOCK_TRUNCATE;
		if (fstat(descriptor, &status) == 0 && !S_ISDIR(status.st_mode))
			(void)landlock_allow(&landlock, path, LANDLOCK_READ_FILE | more);
	}
	if ((error = landlock_enforce(&landlock)) != 0)
		fail(error, "Landlock");
}

static void set_limit(const char *text)
{
	static const struct { const char *name; int number; } limits[] = {
		{ "cpu", RLIMIT_CPU }, { "fsize", RLIMIT_FSIZE }, { "data", RLIMIT_DATA }, { "stack", RLIMIT_STACK },
		{ "core", RLIMIT_CORE }, { "nofile", RLIMIT_NOFILE }, { "as", RLIMIT_AS }, { "nproc", RLIMIT_NPROC },
	};
	const char *value = strchr(text, '=');
	char *end;

	for (size_t i = 0; value && i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (strlen(limits[i].name) != (size_t)(value - text) || strncmp(text, limits[i].name, value - text) != 0)
			continue;
		struct rlimit limit;
		rlim_t number = strtoull(value + 1, &end, 10);
		if (*end != '\0' || end == value + 1)
			break;
		/* A hard limit can't be raised, so the lower one holds. */
		if (getrlimit(limits[i].number, &limit) == 0 && limit.rlim_max != RLIM_INFINITY && limit.rlim_max < number)
			number = limit.rlim_max;
		limit.rlim_cur = limit.rlim_max = number;
		if (setrlimit(limits[i].number, &limit) < 0)
			fail(errno, "--limit %s", text);
		return;
	}
	fail(0, "--limit %s: not NAME=NUMBER", text);
}

/* Images have an empty /dev, or none. */
static void make_devices(const char *directory)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "fd" }, { "/proc/self/fd/0", "stdin" }, { "/proc/self/fd/1", "stdout" },
		{ "/proc/self/fd/2", "stderr" },
	};
	static const char *const places[] = { "null", "zero", "full", "random", "urandom", "tty" };
	int parent, descriptor;

	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		fail(errno, "--devices %s", directory);
	if ((parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		fail(errno, "--devices %s", directory);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i][0], parent, links[i][1]) < 0 && errno != EEXIST)
			fail(errno, "--devices %s", links[i][1]);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		descriptor = openat(parent, places[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (descriptor < 0)
			fail(errno, "--devices %s", places[i]);
		close(descriptor);
	}
	if (mkdirat(parent, "shm", 0700) < 0 && errno != EEXIST)
		fail(errno, "--devices shm");
	close(parent);
}

static int print_features(void)
{
	int network = has_network_namespaces();
	int landlock = landlock_version();
	int seccomp = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && guard_set(GUARD_PROOT) == 0;

	printf("seccomp=%d landlock=%d network-namespace=%d\n", seccomp, landlock, network);
	return 0;
}

int main(int count, char **arguments)
{
	struct options options = { 0 };
	int at = 1;
	pid_t parent = getppid();

	options.paths = calloc((size_t)count + 1, sizeof(char *));
	for (; at < count && strcmp(arguments[at], "--") != 0; at++) {
		const char *option = arguments[at];
		if (strcmp(option, "--features") == 0)
			return print_features();
		else if (strcmp(option, "--self-test") == 0 && at + 2 < count)
			return run_self_test(arguments[at + 1], arguments[at + 2]);
		else if (strcmp(option, "--no-network") == 0)
			options.no_network = 1;
		else if (strcmp(option, "--own-network") == 0)
			options.own_network = 1;
		else if (strcmp(option, "--no-guard") == 0)
			options.no_guard = 1;
		else if (strcmp(option, "--no-32-bit") == 0)
			options.no_32_bit = 1;
		else if (strcmp(option, "--die-with-parent") == 0)
			options.die_with_parent = 1;
		else if (at + 1 < count && (strcmp(option, "--write") == 0 || strcmp(option, "--read") == 0)) {
			options.with_reading |= strcmp(option, "--read") == 0;
			options.paths[2 * options.path_count] = arguments[at];
			options.paths[2 * options.path_count++ + 1] = arguments[++at];
		} else if (at + 1 < count && strcmp(option, "--devices") == 0)
			make_devices(arguments[++at]);
		else if (at + 2 < count && strcmp(option, "--fake-root") == 0) {
			fake_root_open(&options.root, arguments[at + 1], arguments[at + 2]);
			at += 2;
		} else if (at + 2 < count && options.root.view && strncmp(option, "--link", 6) == 0) {
			fake_root_link(&options.root, arguments[at + 1], arguments[at + 2], strcmp(option, "--link-ro") != 0);
			at += 2;
		} else if (at + 1 < count && options.root.view && strcmp(option, "--show") == 0)
			fake_root_show(&options.root, arguments[++at]);
		else if (at + 1 < count && strcmp(option, "--limit") == 0)
			set_limit(arguments[++at]);
		else
			fail(0, "unknown option %s", option);
	}
	if (at + 1 >= count)
		fail(0, "usage: launcher [OPTION]... -- COMMAND [ARGUMENT]...");

	if (options.root.view)
		fake_root_close(&options.root);
	close_inherited(3);
	reset_signals();
	if (options.die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() != parent)
			_exit(EXIT_SETUP);
	}
	if (options.own_network) {
		int error = enter_network();
		if (error != 0)
			fail(error, "a network namespace");
		run_program(arguments + at + 1);
	}
	if (options.no_network && enter_network() != 0 && setenv("PROOT_LOOPBACK_ONLY", "1", 1) < 0)
		fail(errno, "PROOT_LOOPBACK_ONLY");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 && !options.no_guard)
		fail(errno, "the kernel is too old for PR_SET_NO_NEW_PRIVS and so for the escape guard");
	restrict_files(&options);
	if (!options.no_guard) {
		int error = guard_set(options.no_32_bit ? GUARD_PROOT_64 : GUARD_PROOT);
		if (error != 0)
			fail(error, "the kernel refused the seccomp filter of the escape guard");
	}
	run_program(arguments + at + 1);
}
