/* New namespaces, mounts and other roots, to come by what the sandbox has hidden or made read-only. */
#include "escape.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>

/* In namespaces of its own a process may mount: it could bind what it pleases, or remount. */
static int enter(int flags)
{
	char map[64];
	unsigned user = getuid();
	if (unshare(CLONE_NEWUSER | flags) < 0)
		return 0;
	int file = open("/proc/self/uid_map", O_WRONLY);
	snprintf(map, sizeof(map), "0 %u 1", user);
	(void)!write(file, map, strlen(map));
	close(file);
	errno = 0;
	return 1;
}

static int reads_after_mounting(void)
{
	if (!enter(CLONE_NEWNS))
		return 0;
	(void)mount("proc", "/proc", "proc", 0, NULL);
	return is_secret(open(target.file, O_RDONLY));
}

static int reads_below_mounts(void)
{
	if (!enter(CLONE_NEWNS))
		return 0;
	while (umount2("/", MNT_DETACH) == 0)
		;
	umount2("/proc", MNT_DETACH);
	umount2("/w", MNT_DETACH);
	return is_secret(open(target.file, O_RDONLY));
}

static int writes_after_remounting(void)
{
	if (!enter(CLONE_NEWNS))
		return 0;
	(void)mount(NULL, target.inputs, NULL, MS_REMOUNT | MS_BIND, NULL);
	(void)mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL);
	int input = open(next_input(), O_WRONLY);
	return input >= 0 && write(input, "x", 1) == 1;
}

static int writes_to_copy(void)
{
	if (!enter(CLONE_NEWNS) || mkdir("copy", 0700) < 0)
		return 0;
	(void)mount(target.inputs, "copy", NULL, MS_BIND | MS_REC, NULL);
	(void)mount(NULL, "copy", NULL, MS_REMOUNT | MS_BIND, NULL);
	int input = open(next_input(), O_WRONLY);
	int copied = open("copy/0", O_WRONLY);
	return (input >= 0 && write(input, "x", 1) == 1) || copied >= 0;
}

static int joins_victim(void)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/user", target.victim);
	int file = open(path, O_RDONLY);
	/* One's own namespace can't be entered again: that error says that the other's was found. */
	return file >= 0 && (setns(file, 0) == 0 || errno == EINVAL);
}

static int clones_with(void)
{
	struct clone_args arguments = { .flags = CLONE_NEWUSER | CLONE_NEWNS, .exit_signal = SIGCHLD };
	int status = -1;
	long child = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (child == 0)
		_exit(is_secret(open(target.file, O_RDONLY)) ? 142 : 0);
	if (child < 0)
		return 0;
	waitpid((pid_t)child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 142;
}

static int sees_by_fsopen(void)
{
	if (!enter(CLONE_NEWNS | CLONE_NEWPID))
		return 0;
	pid_t child = fork();
	int status = -1;
	if (child == 0) {
		int context = (int)syscall(430, "proc", 0);
		if (context < 0 || syscall(431, context, 6 /* create */, NULL, NULL, 0) < 0)
			_exit(is_secret(open(target.file, O_RDONLY)) ? 142 : errno);
		int mounted = (int)syscall(432, context, 0, 0);
		int file = openat(mounted, "1/root/etc/passwd", O_RDONLY);
		_exit(file >= 0 && is_secret(open(target.file, O_RDONLY)) ? 142 : errno);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 142;
}

void try_namespaces(void)
{
	tell("mount-proc", in_child(reads_after_mounting));
	tell("unmount-root", in_child(reads_below_mounts));
	if (target.inputs) {
		tell("remount-input", in_child(writes_after_remounting));
		next_input();
		tell("mount-input", in_child(writes_to_copy));
		next_input();
	}
	tell("setns", in_child(joins_victim));
	tell("clone3-namespaces", in_child(clones_with));
	tell("fsopen-proc", in_child(sees_by_fsopen));
}
