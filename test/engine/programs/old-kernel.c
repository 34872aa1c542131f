/* Stands in for an old kernel: old-kernel LAST-SYSTEM-CALL COMMAND...: all calls with a higher number (x86_64) are answered
 * with ENOSYS. 313 is the last of Linux 3.10 (RHEL 7), 298 that of 2.6.32 (RHEL 6). It is no old kernel: what else an old
 * one lacks is not shown. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int count, char **arguments)
{
	if (count < 3)
		return 2;
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (unsigned)atoi(arguments[1]), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(rules) / sizeof(rules[0]), rules };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return 125;
	/* uname(2) tells a version below 3. */
	personality(0x0020000 /* UNAME26 */);
	execv(arguments[2], arguments + 2);
	return 127;
}
