/* Stands in for a node that forbids something: refuse WHAT[,WHAT...] COMMAND...: the system calls are answered with EPERM.
 * WHAT is ptrace, namespaces, landlock or seccomp (a filter: prctl and seccomp(2)). */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sock_filter rules[64];
static unsigned short length;

static void add(struct sock_filter rule) { rules[length++] = rule; }

static void refuse(unsigned number)
{
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
}

int main(int count, char **arguments)
{
	if (count < 3)
		return 2;
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
	if (strstr(arguments[1], "ptrace"))
		refuse(SYS_ptrace);
	if (strstr(arguments[1], "namespaces"))
		refuse(SYS_unshare);
	if (strstr(arguments[1], "landlock"))
		refuse(444);
	if (strstr(arguments[1], "seccomp")) {
		refuse(SYS_seccomp);
		add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3));
		add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])));
		add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 0, 1));
		add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
	}
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	struct sock_fprog program = { length, rules };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return 125;
	execv(arguments[2], arguments + 2);
	return 127;
}
