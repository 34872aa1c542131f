/* A sandbox by user namespaces, for nodes whose kernel gives them to users; programs in it run at native speed.
 *
 *   userns [OPTION]... --rootfs DIRECTORY -- COMMAND [ARGUMENT]...
 *
 *   --rootfs DIRECTORY     the root file system, read-only
 *   --bind HOST GUEST      a file or directory that can be written
 *   --bind-ro HOST GUEST   one that cannot
 *   --bind-try HOST GUEST  as --bind-ro, left out where the host has no such thing
 *   --cwd GUEST            working directory, / by default
 *   --network              the host's network; without it there is only a loopback device
 *   --user UID:GID         looks like this user to itself; by default the caller
 *   --limit-memory BYTES   size of /dev/shm; by default half of the memory, as the kernel has it
 *   --die-with-parent      SIGKILL when the parent ends
 *
 * Inside there are the rootfs, the binds, /proc with the sandbox's own processes, a small /dev, and
 * /sys/devices/system (processors and memory, which some programs count) where the host has it. Nothing else of the host
 * can be named. There are no capabilities and no new privileges, no descriptor above 2, no keyrings. The rootfs
 * needs no directory to put binds on: what is missing lies on a tmpfs in which the rest is bound (`make_target`).
 *
 * The command's process group and terminal are the caller's. Its end is this program's end, signals included, and the end
 * of all that it started. Exit status 125: could not be set up; 126 and 127 as in a shell.
 *
 * Sources: user_namespaces(7), mount_namespaces(7) (locked mounts), pivot_root(2), pid_namespaces(7).
 */
#include "guard.h"
#include "process.h"

#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <limits.h>

#define MOUNT_SETATTR 442 /* the same on all machines */
#define ATTRIBUTE_READ_ONLY 1
#define RECURSIVE 0x8000
#define JOIN_SESSION_KEYRING 1
#define INPUT "/dev/.stdin"
#define STAGE "/.cwl-on-clusters-rootfs"

const char *const program_name = "userns";

struct bind {
	const char *host, *guest;
	int writable, optional, descriptor, is_directory;
};

struct options {
	const char *rootfs, *cwd, *shm_size;
	struct bind *binds;
	int bind_count, network, die_with_parent;
	unsigned uid, gid;
	char **command;
};

/* Of the command, as wait(2) tells it; shared by all processes of this program. */
struct ending {
	volatile int known, status;
};

/* /proc/self/fd of the outer /proc: from there a descriptor has a name that mount(2) takes. */
static int descriptor_names;

static void write_map(const char *path, const char *text, int optional)
{
	int descriptor = open(path, O_WRONLY | O_CLOEXEC);
	if (descriptor < 0 && errno == ENOENT && optional)
		return;
	if (descriptor < 0 || write(descriptor, text, strlen(text)) < 0)
		fail(errno, "%s", path);
	close(descriptor);
}

static void enter_namespaces(const struct options *options)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[64];
	int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC;

	if (!options->network)
		flags |= CLONE_NEWNET;
	if (unshare(flags) < 0)
		fail(errno, "the kernel gives no user namespace");
	write_map("/proc/self/setgroups", "deny", 1);
	snprintf(map, sizeof(map), "%u %u 1", options->uid, uid);
	write_map("/proc/self/uid_map", map, 0);
	snprintf(map, sizeof(map), "%u %u 1", options->gid, gid);
	write_map("/proc/self/gid_map", map, 0);
}

static void raise_loopback(void)
{
	struct ifreq request;
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memset(&request, 0, sizeof(request));
	strcpy(request.ifr_name, "lo");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (descriptor < 0 || ioctl(descriptor, SIOCSIFFLAGS, &request) < 0)
		fail(errno, "the loopback device");
	close(descriptor);
}

static int open_path(const char *path)
{
	int descriptor = open(path, O_PATH | O_CLOEXEC);
	if (descriptor < 0)
		fail(errno, "%s", path);
	return descriptor;
}

/* Binds what `descriptor` (and `below` it) is onto `target`. The working directory is descriptor_names. */
static void bind_descriptor(int descriptor, const char *below, const char *target)
{
	char source[PATH_MAX];
	int length = snprintf(source, sizeof(source), "%d%s%s", descriptor, below ? "/" : "", below ? below : "");

	if (length >= (int)sizeof(source))
		fail(ENAMETOOLONG, "%s", target);
	/* Recursive, as a single mount of a tree with locked mounts in it cannot be bound. */
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
		fail(errno, "binding on %s", target);
}

static void make_read_only(const char *target)
{
	struct { uint64_t set, clear, propagation, userns; } attributes = { ATTRIBUTE_READ_ONLY, 0, 0, 0 };
	struct statvfs status;
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;

	if (syscall(MOUNT_SETATTR, AT_FDCWD, target, RECURSIVE, &attributes, sizeof(attributes)) == 0)
		return;
	/* Before Linux 5.12: this mount only, with the flags that are locked on it. */
	if (statvfs(target, &status) < 0)
		fail(errno, "%s", target);
	if (status.f_flag & ST_NOSUID) flags |= MS_NOSUID;
	if (status.f_flag & ST_NODEV) flags |= MS_NODEV;
	if (status.f_flag & ST_NOEXEC) flags |= MS_NOEXEC;
	if (status.f_flag & ST_NOATIME) flags |= MS_NOATIME;
	if (status.f_flag & ST_NODIRATIME) flags |= MS_NODIRATIME;
	if (status.f_flag & ST_RELATIME) flags |= MS_RELATIME;
	if (mount(NULL, target, NULL, flags, NULL) < 0)
		fail(errno, "making %s read-only", target);
}

static void mount_tmpfs(const char *target, const char *data)
{
	if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, data) < 0)
		fail(errno, "mounting a tmpfs on %s", target);
}

static void make_file(const char *path)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (descriptor < 0)
		fail(errno, "%s", path);
	close(descriptor);
}

/* Directories that have become a tmpfs on which their former entries are bound. */
static char *copies[256];
static int copy_count;

/* Fills the tmpfs at `target` with the entries of the directory that was there. */
static void bind_entries(int source, const char *target)
{
	int readable = openat(source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = readable < 0 ? NULL : fdopendir(readable);
	struct dirent *entry;
	char path[PATH_MAX], link[PATH_MAX];
	struct stat status;

	if (!directory)
		fail(errno, "%s", target);
	while ((entry = readdir(directory))) {
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", strcmp(target, "/") == 0 ? "" : target, name) >= (int)sizeof(path))
			fail(ENAMETOOLONG, "%s", target);
		if (fstatat(source, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			fail(errno, "%s", path);
		if (S_ISLNK(status.st_mode)) {
			ssize_t length = readlinkat(source, name, link, sizeof(link) - 1);
			if (length < 0)
				fail(errno, "%s", path);
			link[length] = '\0';
			if (symlink(link, path) < 0)
				fail(errno, "%s", path);
			continue;
		}
		if (S_ISDIR(status.st_mode)) {
			if (mkdir(path, 0755) < 0)
				fail(errno, "%s", path);
		} else
			make_file(path);
		bind_descriptor(source, name, path);
	}
	closedir(directory);
}

/* Makes room for new entries in a directory of the rootfs, which is read-only. */
static void copy_directory(const char *path)
{
	int source = open_path(path);
	struct stat status;
	char data[32];

	if (copy_count == (int)(sizeof(copies) / sizeof(copies[0])))
		fail(ENOSPC, "%s", path);
	if (fstat(source, &status) < 0)
		fail(errno, "%s", path);
	snprintf(data, sizeof(data), "mode=0%o", (unsigned)status.st_mode & 0777);
	mount_tmpfs(path, data);
	bind_entries(source, path);
	copies[copy_count++] = strdup(path);
	close(source);
}

static int make_entry(const char *path, int is_directory)
{
	int descriptor;

	if (is_directory)
		return mkdir(path, 0755);
	descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (descriptor >= 0)
		close(descriptor);
	return descriptor < 0 ? -1 : 0;
}

/* The place of `guest` in the new root, with links followed inside it, made if it is missing. */
static void make_target(const char *guest, int is_directory, char target[PATH_MAX])
{
	char rest[PATH_MAX], link[PATH_MAX];
	int links = 0;
	size_t end = 0;

	if (snprintf(rest, sizeof(rest), "%s", guest) >= (int)sizeof(rest))
		fail(ENAMETOOLONG, "%s", guest);
	target[0] = '\0';
	while (rest[0] != '\0') {
		char name[NAME_MAX + 1];
		struct stat status;
		char *at = rest + strspn(rest, "/");
		size_t length = strcspn(at, "/");

		if (length == 0)
			break;
		if (length > NAME_MAX)
			fail(ENAMETOOLONG, "%s", guest);
		memcpy(name, at, length);
		name[length] = '\0';
		at += length;
		int is_last = at[strspn(at, "/")] == '\0';
		memmove(rest, at, strlen(at) + 1);
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			char *slash = strrchr(target, '/');
			if (slash)
				*slash = '\0';
			continue;
		}
		end = strlen(target);
		if (end + length + 2 > PATH_MAX)
			fail(ENAMETOOLONG, "%s", guest);
		target[end] = '/';
		memcpy(target + end + 1, name, length + 1);
		if (lstat(target, &status) == 0) {
			if (!S_ISLNK(status.st_mode))
				continue;
			ssize_t size = readlink(target, link, sizeof(link) - 1);
			if (size < 0 || ++links > 40)
				fail(size < 0 ? errno : ELOOP, "%s", guest);
			link[size] = '\0';
			if ((size_t)size + strlen(rest) + 2 > sizeof(rest))
				fail(ENAMETOOLONG, "%s", guest);
			memmove(rest + size + 1, rest, strlen(rest) + 1);
			memcpy(rest, link, (size_t)size);
			rest[size] = '/';
			target[link[0] == '/' ? 0 : end] = '\0';
			continue;
		}
		if (errno != ENOENT)
			fail(errno, "%s", target);
		if (make_entry(target, !is_last || is_directory) == 0)
			continue;
		if (errno != EROFS && errno != EACCES && errno != EPERM)
			fail(errno, "%s", target);
		target[end] = '\0';
		copy_directory(end == 0 ? "/" : target);
		target[end] = '/';
		if (make_entry(target, !is_last || is_directory) < 0)
			fail(errno, "%s", target);
	}
	if (target[0] == '\0')
		fail(EINVAL, "a bind cannot be the root: %s", guest);
}

/* What the caller has opened for reading as the standard input, if it still has its name; else -1. */
static int find_input(void)
{
	char path[PATH_MAX];
	struct stat opened, named;
	ssize_t length = readlink("/proc/self/fd/0", path, sizeof(path) - 1);
	int descriptor;

	if (length < 0 || fstat(0, &opened) < 0 || !S_ISREG(opened.st_mode) || (fcntl(0, F_GETFL) & O_ACCMODE) != O_RDONLY)
		return -1;
	path[length] = '\0';
	descriptor = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (descriptor >= 0 && fstat(descriptor, &named) == 0 && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino)
		return descriptor;
	close(descriptor);
	return -1;
}

/* A descriptor can be opened again for writing, as /dev/stdin: not where it is one of a read-only mount. */
static void protect_input(int input)
{
	off_t position = lseek(0, 0, SEEK_CUR);
	int descriptor;

	make_file(INPUT);
	bind_descriptor(input, NULL, INPUT);
	make_read_only(INPUT);
	descriptor = open(INPUT, O_RDONLY);
	if (descriptor < 0 || lseek(descriptor, position, SEEK_SET) < 0 || dup2(descriptor, 0) < 0)
		fail(errno, "the standard input");
	close(descriptor);
	if (umount2(INPUT, MNT_DETACH) < 0 || unlink(INPUT) < 0)
		fail(errno, "the standard input");
}

static void make_devices(const int *devices, const char *const *names, int count, const char *shm_size, int input)
{
	char target[PATH_MAX], path[64], data[64];

	make_target("/dev", 1, target);
	if (strcmp(target, "/dev") != 0)
		fail(0, "/dev of the rootfs is a link");
	mount_tmpfs("/dev", "mode=0755,size=1m");
	for (int i = 0; i < count; i++) {
		if (devices[i] < 0)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", names[i]);
		make_file(path);
		bind_descriptor(devices[i], NULL, path);
	}
	if (symlink("/proc/self/fd", "/dev/fd") < 0 || symlink("/proc/self/fd/0", "/dev/stdin") < 0 ||
	    symlink("/proc/self/fd/1", "/dev/stdout") < 0 || symlink("/proc/self/fd/2", "/dev/stderr") < 0 ||
	    symlink("pts/ptmx", "/dev/ptmx") < 0 || mkdir("/dev/pts", 0755) < 0 || mkdir("/dev/shm", 0755) < 0)
		fail(errno, "/dev");
	/* Pseudo-terminals are a comfort; some kernels have none in namespaces. */
	(void)mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
	snprintf(data, sizeof(data), "mode=1777%s%s", shm_size ? ",size=" : "", shm_size ? shm_size : "");
	mount_tmpfs("/dev/shm", data);
	if (input >= 0)
		protect_input(input);
	struct statvfs status;
	if (statvfs("/dev", &status) == 0 && mount(NULL, "/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
		fail(errno, "making /dev read-only");
}

/* Whether `guest` lies in a directory that the rootfs has at its top, and no link on the way leads elsewhere. */
static int has_top(int rootfs, const char *guest)
{
	char path[PATH_MAX];
	struct stat status;
	size_t length;

	guest += strspn(guest, "/");
	if (strstr(guest, "..") || snprintf(path, sizeof(path), "%s", guest) >= (int)sizeof(path))
		return 0;
	for (length = strcspn(path, "/"); length > 0; length += strcspn(path + length + 1, "/") + 1) {
		char end = path[length];
		path[length] = '\0';
		if (fstatat(rootfs, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
			return strchr(path, '/') != NULL;
		if (S_ISLNK(status.st_mode))
			return 0;
		path[length] = end;
		if (end == '\0')
			return 1;
	}
	return 0;
}

/* Images from the store have all places to bind to. Then the rootfs itself is the new root; else that is a tmpfs, on which
 * each of the entries is bound. */
static int has_places(int rootfs, const struct options *options)
{
	int is_whole = has_top(rootfs, "proc") && has_top(rootfs, "dev") && has_top(rootfs, "sys");

	for (int i = 0; i < options->bind_count && is_whole; i++)
		is_whole = options->binds[i].descriptor < 0 || has_top(rootfs, options->binds[i].guest);
	return is_whole;
}

static void build_root(struct options *options)
{
	static const char *const device_names[] = { "null", "zero", "full", "random", "urandom", "tty" };
	enum { device_count = sizeof(device_names) / sizeof(device_names[0]) };
	int devices[device_count], old_root, rootfs, topology, input;
	char target[PATH_MAX];

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail(errno, "making the mounts private");
	/* All sources are opened while the host's paths mean something. */
	rootfs = open_path(options->rootfs);
	for (int i = 0; i < options->bind_count; i++) {
		struct stat status;
		struct bind *bind = &options->binds[i];
		bind->descriptor = open(bind->host, O_PATH | O_CLOEXEC);
		if (bind->descriptor < 0 && bind->optional && (errno == ENOENT || errno == EACCES))
			continue;
		if (bind->descriptor < 0)
			fail(errno, "%s", bind->host);
		if (fstat(bind->descriptor, &status) < 0)
			fail(errno, "%s", bind->host);
		bind->is_directory = S_ISDIR(status.st_mode);
	}
	for (int i = 0; i < device_count; i++) {
		char path[32];
		snprintf(path, sizeof(path), "/dev/%s", device_names[i]);
		devices[i] = open(path, O_PATH | O_CLOEXEC);
	}
	input = find_input();
	topology = open("/sys/devices/system", O_PATH | O_DIRECTORY | O_CLOEXEC);
	descriptor_names = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (descriptor_names < 0 || old_root < 0)
		fail(errno, "/proc/self/fd");

	/* The new root is mounted where the rootfs is, as that directory surely exists. */
	int is_direct = has_places(rootfs, options);
	if (fchdir(descriptor_names) < 0)
		fail(errno, "/proc/self/fd");
	if (is_direct) {
		bind_descriptor(rootfs, NULL, options->rootfs);
		make_read_only(options->rootfs);
	} else
		mount_tmpfs(options->rootfs, "mode=0755,size=1m");
	if (chdir(options->rootfs) < 0)
		fail(errno, "%s", options->rootfs);
	int is_pivoted = syscall(SYS_pivot_root, ".", ".") == 0;
	/* A node that runs from its initial ramdisk has a root that can't be exchanged. */
	if (!is_pivoted && (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0))
		fail(errno, "changing the root");
	if (fchdir(descriptor_names) < 0)
		fail(errno, "/proc/self/fd");

	if (!is_direct) {
		/* Read-only once, and so in each of the binds that are made from it. */
		if (mkdir(STAGE, 0755) < 0)
			fail(errno, "%s", STAGE);
		bind_descriptor(rootfs, NULL, STAGE);
		make_read_only(STAGE);
		int stage = open_path(STAGE);
		bind_entries(stage, "/");
		close(stage);
		if (umount2(STAGE, MNT_DETACH) < 0 || rmdir(STAGE) < 0)
			fail(errno, "%s", STAGE);
	}

	make_target("/proc", 1, target);
	if (mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		fail(errno, "mounting /proc");
	make_devices(devices, device_names, device_count, options->shm_size, input);
	if (topology >= 0) {
		make_target("/sys/devices/system", 1, target);
		bind_descriptor(topology, NULL, target);
		make_read_only(target);
	}
	for (int i = 0; i < options->bind_count; i++) {
		const struct bind *bind = &options->binds[i];
		if (bind->descriptor < 0)
			continue;
		make_target(bind->guest, bind->is_directory, target);
		bind_descriptor(bind->descriptor, NULL, target);
		if (!bind->writable)
			make_read_only(target);
	}
	for (int i = 0; i < copy_count; i++)
		if (mount(NULL, copies[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
			fail(errno, "making %s read-only", copies[i]);
	if (!is_direct && mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
		fail(errno, "making / read-only");
	if (is_pivoted && (fchdir(old_root) < 0 || umount2(".", MNT_DETACH) < 0))
		fail(errno, "leaving the old root");
	if (chdir(options->cwd) < 0)
		fail(errno, "%s", options->cwd);
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
			fail(errno, "dropping capability %d", capability);
	if (syscall(SYS_capset, &header, none) < 0)
		fail(errno, "dropping the capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail(errno, "no new privileges");
	/* Kernels without filters are older than any terminal or keyring that would matter more than the run. */
	(void)guard_set(GUARD_NAMESPACES);
}

/* Process 1 of the sandbox: passes signals on and takes in orphans until the command has ended. */
__attribute__((noreturn)) static void run_first(struct options *options, struct ending *ending, const sigset_t *all)
{
	siginfo_t signal;
	int status;
	pid_t child, command;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	build_root(options);
	if (!options->network)
		raise_loopback();
	/* Keys of the session may be the user's Kerberos tickets. Kernels without keyrings have none to give away. */
	(void)syscall(SYS_keyctl, JOIN_SESSION_KEYRING, NULL);
	close_inherited(3);
	drop_capabilities();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);

	command = fork();
	if (command < 0)
		fail(errno, "fork");
	if (command == 0) {
		reset_signals();
		run_program(options->command);
	}
	for (;;) {
		if (sigwaitinfo(all, &signal) < 0)
			continue;
		if (signal.si_signo != SIGCHLD) {
			/* The terminal's signals have already reached the whole foreground group. */
			if (signal.si_code <= 0)
				kill(command, signal.si_signo);
			continue;
		}
		while ((child = waitpid(-1, &status, WNOHANG)) > 0)
			if (child == command) {
				ending->status = status;
				ending->known = 1;
				_exit(0);
			}
	}
}

static int end_like(const struct ending *ending)
{
	struct rlimit no_core = { 0, 0 };
	int number;
	sigset_t none;

	if (!ending->known)
		return EXIT_SETUP;
	if (WIFEXITED(ending->status))
		return WEXITSTATUS(ending->status);
	number = WTERMSIG(ending->status);
	setrlimit(RLIMIT_CORE, &no_core);
	sigemptyset(&none);
	signal(number, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	raise(number);
	return 128 + number;
}

static void add_bind(struct options *options, char **arguments)
{
	struct bind *bind = &options->binds[options->bind_count++];
	bind->writable = strcmp(arguments[0], "--bind") == 0;
	bind->optional = strcmp(arguments[0], "--bind-try") == 0;
	bind->host = arguments[1];
	bind->guest = arguments[2];
}

static void parse_options(struct options *options, int count, char **arguments)
{
	int at = 1;

	options->binds = calloc((size_t)count + 1, sizeof(struct bind));
	options->cwd = "/";
	options->uid = geteuid();
	options->gid = getegid();
	for (; at < count && strcmp(arguments[at], "--") != 0; at++) {
		const char *option = arguments[at];
		int left = count - at - 1;
		if (strcmp(option, "--network") == 0)
			options->network = 1;
		else if (strcmp(option, "--die-with-parent") == 0)
			options->die_with_parent = 1;
		else if (strcmp(option, "--rootfs") == 0 && left >= 1)
			options->rootfs = arguments[++at];
		else if (strcmp(option, "--cwd") == 0 && left >= 1)
			options->cwd = arguments[++at];
		else if (strcmp(option, "--limit-memory") == 0 && left >= 1)
			options->shm_size = arguments[++at];
		else if (strcmp(option, "--user") == 0 && left >= 1) {
			if (sscanf(arguments[++at], "%u:%u", &options->uid, &options->gid) != 2)
				fail(0, "--user %s: not UID:GID", arguments[at]);
		} else if ((strcmp(option, "--bind") == 0 || strcmp(option, "--bind-ro") == 0 ||
			    strcmp(option, "--bind-try") == 0) && left >= 2) {
			add_bind(options, arguments + at);
			at += 2;
		} else
			fail(0, "unknown option %s", option);
	}
	if (at + 1 >= count || !options->rootfs)
		fail(0, "usage: userns [OPTION]... --rootfs DIRECTORY -- COMMAND [ARGUMENT]...");
	options->command = arguments + at + 1;
}

int main(int count, char **arguments)
{
	struct options options = { 0 };
	struct ending *ending;
	sigset_t all;
	siginfo_t signal;
	pid_t parent = getppid(), first;
	int status;

	parse_options(&options, count, arguments);
	close_inherited(3);
	reset_signals();
	if (options.die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() != parent)
			return EXIT_SETUP;
	}
	ending = mmap(NULL, sizeof(*ending), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ending == MAP_FAILED)
		fail(errno, "memory");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	enter_namespaces(&options);
	first = fork();
	if (first < 0)
		fail(errno, "fork");
	if (first == 0)
		run_first(&options, ending, &all);
	for (;;) {
		if (sigwaitinfo(&all, &signal) < 0)
			continue;
		if (signal.si_signo == SIGCHLD) {
			if (waitpid(first, &status, WNOHANG) == first)
				return end_like(ending);
		} else if (signal.si_code <= 0)
			kill(first, signal.si_signo);
	}
}
