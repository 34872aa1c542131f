/* A program that tries what a tool must not do. It prints one line for each attempt: "NAME ok" where the sandbox held,
 * "NAME ESCAPED ..." where it did not, "NAME absent" where this kernel has no such thing.
 *
 *   escape HOST-FILE HOST-PROGRAM HOST-DIRECTORY HOST-PID READ-ONLY-FILE
 *
 * HOST-FILE holds the word "secret"; HOST-PROGRAM is static and exits with 42; HOST-DIRECTORY can be written by the user;
 * HOST-PID is a process of the same user outside; READ-ONLY-FILE is an input, or "-" where the engine can't protect it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int is_secret(int descriptor)
{
	char text[16] = "";
	if (descriptor < 0)
		return 0;
	ssize_t size = pread(descriptor, text, sizeof(text) - 1, 0);
	close(descriptor);
	return size >= 6 && strncmp(text, "secret", 6) == 0;
}

static void tell(const char *name, int escaped)
{
	printf("%s %s\n", name, escaped ? "ESCAPED" : "ok");
}

static void open_in_every_way(const char *file)
{
	struct { unsigned long long flags, mode, resolve; } how = { O_RDONLY, 0, 0 };
	char path[4096];

	tell("open", is_secret(open(file, O_RDONLY)));
	tell("openat2", is_secret((int)syscall(437, AT_FDCWD, file, &how, sizeof(how))));
	int root = open("/", O_PATH | O_DIRECTORY);
	tell("openat2-from-root", is_secret((int)syscall(437, root, file + 1, &how, sizeof(how))));
	snprintf(path, sizeof(path), "/proc/self/root%s", file);
	tell("proc-self-root", is_secret(open(path, O_RDONLY)));
	snprintf(path, sizeof(path), "/proc/thread-self/root%s", file);
	tell("proc-thread-self-root", is_secret(open(path, O_RDONLY)));
	snprintf(path, sizeof(path), "../../../../../../../../..%s", file);
	tell("dot-dot", is_secret(open(path, O_RDONLY)));
	snprintf(path, sizeof(path), "..%s", file);
	for (int i = 0; i < 3; i++)
		tell("openat-dot-dot", is_secret(openat(root, path, O_RDONLY)));
	unlink("link");
	if (symlink(file, "link") == 0) {
		tell("symlink", is_secret(open("link", O_RDONLY)));
		tell("symlink-openat2", is_secret((int)syscall(437, AT_FDCWD, "link", &how, sizeof(how))));
		unlink("link");
	}
	char handle[256] = { 0 };
	*(unsigned *)handle = 128;
	int mount_id;
	tell("name-to-handle", syscall(SYS_name_to_handle_at, AT_FDCWD, file, handle, &mount_id, 0) == 0);
	tell("open-tree", is_secret((int)syscall(428, AT_FDCWD, file, 1)));
	char attributes[256];
	struct { unsigned long long value; unsigned size, flags; } arguments = { (unsigned long)attributes, sizeof(attributes), 0 };
	tell("getxattrat", syscall(464, AT_FDCWD, file, 0, "user.x", &arguments, sizeof(arguments)) >= 0 || errno == ENODATA);
	struct stat status;
	tell("stat", stat(file, &status) == 0);
	char extended[256];
	tell("statx", syscall(SYS_statx, AT_FDCWD, file, 0, 0x7ff, extended) == 0);
	tell("faccessat2", syscall(439, AT_FDCWD, file, R_OK, 0) == 0);
	tell("truncate", truncate(file, 6) == 0);
	tell("inotify", syscall(SYS_inotify_add_watch, syscall(SYS_inotify_init1, 0), file, 1) >= 0);

}

/* read and open through a ring, which no tracer sees */
static void try_io_uring(const char *file)
{
	unsigned char parameters[120] = { 0 };
	long ring = syscall(425, 4, parameters);
	if (ring < 0) {
		printf("io_uring %s\n", errno == ENOSYS || errno == EPERM || errno == EACCES ? "ok" : "absent");
		return;
	}
	/* The offsets of the rings, as io_uring_setup(2) has told them. */
	unsigned *p = (unsigned *)parameters, *submission = p + 10, *completion = p + 20;
	char *rings = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, (int)ring, 0);
	char *entries = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, (int)ring, 0x10000000);
	char *done = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, (int)ring, 0x8000000);
	if (rings == MAP_FAILED || entries == MAP_FAILED || done == MAP_FAILED) {
		printf("io_uring absent\n");
		return;
	}
	memset(entries, 0, 64);
	entries[0] = 18; /* IORING_OP_OPENAT */
	*(int *)(entries + 4) = AT_FDCWD;
	*(const char **)(entries + 16) = file;
	*(unsigned *)(rings + submission[6]) = 0;
	(*(unsigned *)(rings + submission[1]))++;
	syscall(426, ring, 1, 1, 1, 0, 0);
	int result = *(int *)(done + completion[5] + 8);
	tell("io_uring", is_secret(result));
}

static int run(const char *program, int how)
{
	int status = -1;
	pid_t child = fork();
	char *arguments[] = { (char *)program, NULL }, *environment[] = { NULL };

	if (child == 0) {
		if (how == 0)
			execve(program, arguments, environment);
		else
			syscall(SYS_execveat, AT_FDCWD, program, arguments, environment, 0);
		_exit(1);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 42;
}

static void try_writing(const char *directory, const char *input)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/written", directory);
	tell("write-outside", open(path, O_WRONLY | O_CREAT, 0600) >= 0);
	struct { unsigned long long flags, mode, resolve; } how = { O_WRONLY | O_CREAT, 0600, 0 };
	tell("write-outside-openat2", syscall(437, AT_FDCWD, path, &how, sizeof(how)) >= 0);
	tell("mkdir-outside", mkdir(path, 0700) == 0);
	tell("chmod-outside", chmod(directory, 0700) == 0);
	tell("fchmodat2-outside", syscall(452, AT_FDCWD, directory, 0700, 0) == 0);
	tell("rename-outside", rename("/w/mine", path) == 0);
	tell("link-outside", link("/w/mine", path) == 0);
	if (strcmp(input, "-") == 0)
		return;
	tell("write-rootfs", open("/written", O_WRONLY | O_CREAT, 0600) >= 0);
	tell("unlink-rootfs", unlink("/bin/sh") == 0);
	tell("write-input", open(input, O_WRONLY) >= 0);
	tell("truncate-input", truncate(input, 0) == 0);
	tell("unlink-input", unlink(input) == 0);
	tell("rename-input", rename(input, "/w/stolen") == 0);
}

static void try_processes(pid_t other)
{
	char path[64], text[4096];
	char buffer[64];
	struct iovec local = { buffer, sizeof(buffer) }, remote = { (void *)0x400000, sizeof(buffer) };

	tell("process-vm-readv", process_vm_readv(other, &local, 1, &remote, 1, 0) > 0 || errno == EFAULT);
	tell("pidfd-getfd", syscall(438, syscall(434, other, 0), 0, 0) >= 0);
	long attached = ptrace(PTRACE_ATTACH, other, NULL, NULL);
	tell("ptrace", attached == 0);
	for (int i = 0; i < 5; i++) {
		const char *names[] = { "mem", "environ", "root/etc/passwd", "cwd/.", "fd/3" };
		snprintf(path, sizeof(path), "/proc/%d/%s", other, names[i]);
		snprintf(text, sizeof(text), "proc-other-%.3s", names[i]);
		tell(text, open(path, O_RDONLY) >= 0);
	}
	/* PRoot itself, or the sandbox's first process: whoever is our ancestor. */
	for (pid_t ancestor = getppid(), i = 0; ancestor > 0 && i < 3; i++) {
		snprintf(path, sizeof(path), "/proc/%d/root", ancestor);
		tell("ptrace-ancestor", ptrace(PTRACE_ATTACH, ancestor, NULL, NULL) == 0);
		tell("vm-ancestor", process_vm_readv(ancestor, &local, 1, &remote, 1, 0) > 0);
		ancestor = 1;
	}

}

static void try_descriptors(void)
{
	int escaped = 0;
	for (int descriptor = 3; descriptor < 1024; descriptor++)
		escaped |= fcntl(descriptor, F_GETFD) >= 0;
	tell("inherited-descriptors", escaped);
}

static void try_mounts(const char *file)
{
	int status = -1;
	pid_t child = fork();
	if (child == 0) {
		int escaped = unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && umount2("/w", MNT_DETACH) == 0;
		escaped |= chroot("/w") == 0 && is_secret(open(file, O_RDONLY));
		for (int i = 0; i < 20; i++)
			(void)!chdir("..");
		escaped |= is_secret(open(file + 1, O_RDONLY));
		_exit(escaped ? 42 : 0);
	}
	waitpid(child, &status, 0);
	tell("namespaces", WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

#ifdef __x86_64__
/* The system call of 32-bit programs, made by a 64-bit one. */
static void try_32_bit(const char *file)
{
	int status = -1;
	char *low = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED || strlen(file) > 4000)
		return;
	strcpy(low, file);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		long result;
		__asm__ volatile("int $0x80" : "=a"(result) : "a"(5), "b"((unsigned long)low), "c"(0), "d"(0)
				 : "memory", "r8", "r9", "r10", "r11");
		_exit(is_secret((int)result) ? 42 : 0);
	}
	waitpid(child, &status, 0);
	tell("int-0x80", WIFEXITED(status) && WEXITSTATUS(status) == 42);
	child = fork();
	if (child == 0)
		_exit(is_secret((int)syscall(0x40000000 + SYS_open, file, O_RDONLY)) ? 42 : 0);
	waitpid(child, &status, 0);
	tell("x32", WIFEXITED(status) && WEXITSTATUS(status) == 42);
}
#else
static void try_32_bit(const char *file) { (void)file; }
#endif

/* One thread turns a name into a link and back while the other opens it. */
static volatile int racing = 1;
static void *swap_links(void *target)
{
	while (racing) {
		unlink("/w/race");
		(void)!mkdir("/w/race", 0700);
		rmdir("/w/race");
		(void)!symlink(target, "/w/race");
	}
	return NULL;
}

static void try_race(const char *file)
{
	char directory[4096], path[4200];
	pthread_t thread;
	int escaped = 0;

	snprintf(directory, sizeof(directory), "%s", file);
	char *slash = strrchr(directory, '/');
	*slash = '\0';
	snprintf(path, sizeof(path), "/w/race/%s", slash + 1);
	pthread_create(&thread, NULL, swap_links, directory);
	for (int i = 0; i < 3000 && !escaped; i++)
		escaped = is_secret(open(path, O_RDONLY));
	racing = 0;
	pthread_join(thread, NULL);
	tell("link-race", escaped);
}

int main(int count, char **arguments)
{
	if (count != 6)
		return 2;
	try_descriptors();
	(void)!close(open("/w/mine", O_WRONLY | O_CREAT, 0600));
	open_in_every_way(arguments[1]);
	try_io_uring(arguments[1]);
	tell("execve", run(arguments[2], 0));
	tell("execveat", run(arguments[2], 1));
	try_writing(arguments[3], arguments[5]);
	try_processes(atoi(arguments[4]));
	try_mounts(arguments[1]);
	try_32_bit(arguments[1]);
	try_race(arguments[1]);
	const char *home = getenv("HOST_HOME");
	tell("home", home && access(home, F_OK) == 0);
	printf("end\n");
	return 0;
}
