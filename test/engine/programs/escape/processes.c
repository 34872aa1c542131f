/* Reaching processes outside: the victim, and whoever has started the sandbox. */
#include "escape.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

static int attach(pid_t pid)
{
	int status;
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0)
		return 0;
	/* Or it would be left stopped. */
	waitpid(pid, &status, __WALL);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return 1;
}

static int attach_victim(void) { return attach(target.victim); }
static int seize_victim(void) { return ptrace(PTRACE_SEIZE, target.victim, NULL, NULL) == 0; }
static pid_t parent;
static int attach_parent(void) { return attach(parent); }

static void try_proc(void)
{
	static const char *const names[] = {
		"mem", "environ", "root/.", "cwd/file", "fd/3", "exe", "maps", "status", "cmdline", "task/.", "ns/mnt", "map_files/.",
	};
	char path[64], name[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", target.victim, names[i]);
		snprintf(name, sizeof(name), "proc-%.*s", (int)strcspn(names[i], "/"), names[i]);
		tell(name, open(path, O_RDONLY) >= 0);
	}
	snprintf(path, sizeof(path), "/proc/%d", target.victim);
	struct stat status;
	tell("proc-stat", stat(path, &status) == 0);
}

void try_processes(void)
{
	char text[16] = "";
	struct iovec local = { text, sizeof(text) }, remote = { victim_memory, sizeof(text) };

	tell("vm-read", process_vm_readv(target.victim, &local, 1, &remote, 1, 0) > 0 && strcmp(text, "secret") == 0);
	tell("vm-write", process_vm_writev(target.victim, &local, 1, &remote, 1, 0) > 0);
	int handle = (int)syscall(SYS_PIDFD_OPEN, target.victim, 0);
	tell("pidfd-open", handle >= 0);
	tell("pidfd-getfd", is_secret((int)syscall(SYS_PIDFD_GETFD, handle, 3, 0)));
	tell("pidfd-signal", syscall(SYS_PIDFD_SEND_SIGNAL, handle, SIGUSR1, NULL, 0) == 0);
	tell("ptrace-attach", in_child(attach_victim));
	tell("ptrace-seize", in_child(seize_victim));
	tell("kcmp", syscall(SYS_kcmp, target.victim, getpid(), 3, 0, 0) >= 0);
	try_proc();
	/* PRoot itself, or the sandbox's first process. */
	parent = getppid();
	/* What it has at that address, if anything, does not matter. */
	tell("vm-read-parent", process_vm_readv(parent, &local, 1, &remote, 1, 0) > 0 || errno == EFAULT);
	tell("ptrace-parent", in_child(attach_parent));
}

void try_signals(void)
{
	siginfo_t information = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };
	struct rlimit limit = { 4096, 4096 };
	int pipes[2];

	tell("kill", kill(target.victim, SIGUSR1) == 0);
	tell("kill-group", kill(-target.victim, 0) == 0);
	/* With signal 0 nobody is hurt, but there is somebody. */
	tell("kill-all", kill(-1, 0) == 0);
	tell("tkill", syscall(SYS_tkill, target.victim, SIGUSR1) == 0);
	tell("tgkill", syscall(SYS_tgkill, target.victim, target.victim, SIGUSR1) == 0);
	tell("sigqueue", syscall(SYS_rt_sigqueueinfo, target.victim, SIGUSR1, &information) == 0);
	tell("tgsigqueue", syscall(SYS_rt_tgsigqueueinfo, target.victim, target.victim, SIGUSR1, &information) == 0);
	(void)!pipe(pipes);
	tell("set-owner", fcntl(pipes[0], F_SETOWN, target.victim) == 0);
	tell("prlimit", prlimit(target.victim, RLIMIT_NOFILE, NULL, &limit) == 0);
}
