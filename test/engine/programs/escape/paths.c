/* Reading and running what lies outside, by each way to name it. */
#include "escape.h"

#include <dirent.h>
#include <sys/inotify.h>
#include <sys/statfs.h>

struct how { uint64_t flags, mode, resolve; };

static int open_how(int directory, const char *path, uint64_t flags, uint64_t resolve)
{
	struct how how = { flags, 0, resolve };
	return (int)syscall(SYS_OPENAT2, directory, path, &how, sizeof(how));
}

static void try_roots(const char *file)
{
	char path[8192];
	int root = open("/", O_PATH | O_DIRECTORY);

	tell("open", is_secret(open(file, O_RDONLY)));
	tell("openat2", is_secret(open_how(AT_FDCWD, file, O_RDONLY, 0)));
	tell("openat2-from-root", is_secret(open_how(root, file + 1, O_RDONLY, 0)));
	tell("openat2-in-root", is_secret(open_how(root, file, O_RDONLY, 0x10 /* RESOLVE_IN_ROOT */)));
	tell("openat2-beneath", is_secret(open_how(root, file + 1, O_RDONLY, 0x08 /* RESOLVE_BENEATH */)));
	for (int i = 0; i < 4; i++) {
		static const char *const prefixes[] = {
			"/proc/self/root", "/proc/thread-self/root", "/proc/self/task/../root", "../../../../../../../../..",
		};
		static const char *const names[] = { "proc-self-root", "proc-thread-self-root", "proc-task-root", "dot-dot" };
		snprintf(path, sizeof(path), "%s%s", prefixes[i], file);
		tell(names[i], is_secret(open(path, O_RDONLY)));
	}
	snprintf(path, sizeof(path), "..%s", file);
	tell("openat-dot-dot", is_secret(openat(root, path, O_RDONLY)));
	snprintf(path, sizeof(path), "/proc/self/fd/%d/..%s", root, file);
	tell("proc-fd-dot-dot", is_secret(open(path, O_RDONLY)));
	snprintf(path, sizeof(path), "/proc/self/cwd/../../../../../../../..%s", file);
	tell("proc-cwd-dot-dot", is_secret(open(path, O_RDONLY)));
	close(root);
}

/* From a working directory that is gone, or was moved. */
static int open_from_removed(void)
{
	char path[8192];
	mkdir("gone", 0700);
	if (chdir("gone") < 0 || rmdir("../gone") < 0)
		return 0;
	snprintf(path, sizeof(path), "../../../../../../../../..%s", target.file);
	return is_secret(open(path, O_RDONLY)) || is_secret(open(target.file, O_RDONLY));
}

static int open_from_moved(void)
{
	char path[8192];
	mkdir("deep", 0700);
	mkdir("deep/er", 0700);
	int directory = open("deep/er", O_PATH | O_DIRECTORY);
	rename("deep/er", "er");
	snprintf(path, sizeof(path), "../../../../../../../../..%s", target.file);
	int escaped = is_secret(openat(directory, path, O_RDONLY));
	rmdir("er");
	rmdir("deep");
	return escaped;
}

static int open_after_chroot(void)
{
	if (chroot(".") < 0 && errno != EPERM)
		return 0;
	for (int i = 0; i < 20; i++)
		(void)!chdir("..");
	return is_secret(open(target.file + 1, O_RDONLY));
}

void try_paths(void)
{
	const char *file = target.file;
	char path[8192], handle[256] = { 0 }, text[256];
	struct stat status;
	struct statfs statistics;
	int mount_id;

	try_roots(file);
	unlink("link");
	if (symlink(file, "link") == 0) {
		tell("symlink", is_secret(open("link", O_RDONLY)));
		tell("symlink-openat2", is_secret(open_how(AT_FDCWD, "link", O_RDONLY, 0)));
		unlink("link");
	}
	tell("removed-directory", in_child(open_from_removed));
	tell("moved-directory", in_child(open_from_moved));
	tell("chroot", in_child(open_after_chroot));
	int by_path = open(file, O_PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", by_path);
	tell("path-descriptor", is_secret(open(path, O_RDONLY)));
	close(by_path);

	*(unsigned *)handle = 128;
	tell("name-to-handle", syscall(SYS_name_to_handle_at, AT_FDCWD, file, handle, &mount_id, 0) == 0);
	int directory = open("/", O_RDONLY | O_DIRECTORY);
	tell("open-by-handle", is_secret((int)syscall(SYS_open_by_handle_at, directory, handle, O_RDONLY)));
	close(directory);
	tell("open-tree", is_secret((int)syscall(SYS_OPEN_TREE, AT_FDCWD, file, 1)));
	struct { uint64_t value; uint32_t size, flags; } arguments = { (uintptr_t)text, sizeof(text), 0 };
	tell("getxattrat", syscall(464, AT_FDCWD, file, 0, "user.x", &arguments, sizeof(arguments)) >= 0 || errno == ENODATA);
	tell("getxattr", syscall(SYS_getxattr, file, "user.x", text, sizeof(text)) >= 0 || errno == ENODATA);
	tell("file-getattr", syscall(468, AT_FDCWD, file, text, 24, 0) == 0);
	tell("stat", stat(file, &status) == 0);
	tell("statx", syscall(SYS_statx, AT_FDCWD, file, 0, 0x7ff, text) == 0);
	tell("statfs", statfs(file, &statistics) == 0);
	tell("access", access(file, R_OK) == 0);
	tell("faccessat2", syscall(SYS_FACCESSAT2, AT_FDCWD, file, R_OK, 0) == 0);
	tell("inotify", inotify_add_watch(inotify_init1(0), file, IN_OPEN) >= 0);
	tell("fanotify", syscall(SYS_fanotify_mark, syscall(SYS_fanotify_init, 0x200 /* FAN_REPORT_FID */, 0), 1,
				 (uint64_t)0x20, AT_FDCWD, file) == 0);
	DIR *listed = opendir(target.open);
	tell("list", listed != NULL);
	if (listed)
		closedir(listed);
}

/* By execve, by execveat, and by a descriptor that cannot be read from. */
static int run_by(int how)
{
	char *arguments[] = { target.program, NULL }, *environment[] = { NULL };
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		if (how == 0)
			execve(target.program, arguments, environment);
		else if (how == 1)
			syscall(SYS_execveat, AT_FDCWD, target.program, arguments, environment, 0);
		else
			syscall(SYS_execveat, open(target.program, O_PATH), "", arguments, environment, AT_EMPTY_PATH);
		_exit(errno);
	}
	waitpid(child, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	return errno == 42;
}

/* A script whose interpreter lies outside. */
static int run_script(void)
{
	int status = -1, script = open("script", O_WRONLY | O_CREAT | O_TRUNC, 0700);
	char *arguments[] = { "script", NULL }, *environment[] = { NULL };

	dprintf(script, "#!%s\n", target.program);
	close(script);
	pid_t child = fork();
	if (child == 0) {
		execve("./script", arguments, environment);
		_exit(errno);
	}
	waitpid(child, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	return errno == 42;
}

/* A program of root's, with the set-user-id bit, as an image could hold one. It says 42 where it runs as root. */
static int run_as_root(void)
{
	char *arguments[] = { getenv("RAISE"), NULL }, *environment[] = { NULL };
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		execve(arguments[0], arguments, environment);
		_exit(errno);
	}
	waitpid(child, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	return errno == 42;
}

void try_running(void)
{
	tell("set-user-id", run_as_root());
	tell("execve", run_by(0));
	tell("execveat", run_by(1));
	tell("execveat-descriptor", run_by(2));
	/* Interpreters have at most 127 or 255 letters. */
	if (strlen(target.program) < 120)
		tell("script", run_script());
}
