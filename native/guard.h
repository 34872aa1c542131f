/* The escape guard: a seccomp filter that is set before PRoot starts, and that costs nothing.
 *
 * PRoot 5.4.0 rewrites the paths of the system calls that it knows. A call that it does not know reaches the kernel
 * with the guest's words and finds the host's files: so each such call is answered with ENOSYS, as an older kernel
 * would, and programs fall back to the older call. The list was made from src/syscall/sysnums-*.h of PRoot against the
 * kernel's tables up to 6.18; whatever is newer than the last call looked at is refused without being known.
 */
#ifndef GUARD_H
#define GUARD_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define CLONE_NEW_USER 0x10000000
#define MAX_RULES 160

struct guard {
	struct sock_filter rules[MAX_RULES];
	unsigned short length;
};

static void guard_add(struct guard *guard, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	struct sock_filter rule = { code, yes, no, k };
	if (guard->length < MAX_RULES)
		guard->rules[guard->length] = rule;
	guard->length++;
}

static void guard_load(struct guard *guard, size_t offset)
{
	guard_add(guard, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void guard_return(struct guard *guard, uint32_t action)
{
	guard_add(guard, BPF_RET | BPF_K, action, 0, 0);
}

#define REFUSE(error) (SECCOMP_RET_ERRNO | (error))
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + 8 * (n)) /* its lower half: both machines are little-endian */

/* With the number in the accumulator: refuses one call. */
static void guard_refuse(struct guard *guard, uint32_t number, int error)
{
	guard_add(guard, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
	guard_return(guard, REFUSE(error));
}

static void guard_refuse_range(struct guard *guard, uint32_t first, uint32_t last, int error)
{
	guard_add(guard, BPF_JMP | BPF_JGE | BPF_K, first, 0, 2);
	guard_add(guard, BPF_JMP | BPF_JGT | BPF_K, last, 1, 0);
	guard_return(guard, REFUSE(error));
}

/* Refuses one call if an argument has one of `bits` set; the number is in the accumulator before and after. */
static void guard_refuse_bits(struct guard *guard, uint32_t number, int argument, uint32_t bits, int error)
{
	guard_add(guard, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4);
	guard_load(guard, ARGUMENT(argument));
	guard_add(guard, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
	guard_return(guard, REFUSE(error));
	guard_return(guard, SECCOMP_RET_ALLOW);
}

/* Refuses one call if an argument is `value`. */
static void guard_refuse_value(struct guard *guard, uint32_t number, int argument, uint32_t value, int error)
{
	guard_add(guard, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4);
	guard_load(guard, ARGUMENT(argument));
	guard_add(guard, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	guard_return(guard, REFUSE(error));
	guard_return(guard, SECCOMP_RET_ALLOW);
}

/* From 424 on the numbers are the same on all machines. */
static void guard_unified(struct guard *guard)
{
	/* Threads and most programs: the common case leaves here. */
	guard_add(guard, BPF_JMP | BPF_JGE | BPF_K, 425, 1, 0);
	guard_return(guard, SECCOMP_RET_ALLOW);
	/* io_uring_setup, _enter, _register; open_tree, move_mount, fsopen, fsconfig, fsmount, fspick */
	guard_refuse_range(guard, 425, 433, ENOSYS);
	/* clone3: PRoot loses the directory that threads share, and cannot see its flags. */
	guard_refuse(guard, 435, ENOSYS);
	/* openat2, pidfd_getfd */
	guard_refuse_range(guard, 437, 438, ENOSYS);
#ifdef __aarch64__
	/* faccessat2: in PRoot's table for x86 only. */
	guard_refuse(guard, 439, ENOSYS);
#endif
	/* mount_setattr, quotactl_fd */
	guard_refuse_range(guard, 442, 443, ENOSYS);
	/* fchmodat2 */
	guard_refuse(guard, 452, ENOSYS);
	/* statmount, listmount */
	guard_refuse_range(guard, 457, 458, ENOSYS);
	/* setxattrat, getxattrat, listxattrat, removexattrat, open_tree_attr, file_getattr, file_setattr, and what is not
	 * known yet */
	guard_add(guard, BPF_JMP | BPF_JGT | BPF_K, 462, 0, 1);
	guard_return(guard, REFUSE(ENOSYS));
	guard_return(guard, SECCOMP_RET_ALLOW);
}

/* Numbers that differ by machine. */
struct numbers {
	uint32_t execveat, name_to_handle_at, open_by_handle_at, fanotify_mark, bpf, add_key, request_key, keyctl;
	uint32_t unshare, setns, clone, ioctl;
};

static void guard_machine(struct guard *guard, const struct numbers *n)
{
	guard_refuse(guard, n->execveat, ENOSYS);
	guard_refuse(guard, n->name_to_handle_at, ENOSYS);
	guard_refuse(guard, n->open_by_handle_at, ENOSYS);
	guard_refuse(guard, n->fanotify_mark, ENOSYS);
	guard_refuse(guard, n->bpf, ENOSYS);
	/* Keyrings belong to the user and not to the sandbox: they may hold the user's Kerberos tickets. */
	guard_refuse(guard, n->add_key, ENOSYS);
	guard_refuse(guard, n->request_key, ENOSYS);
	guard_refuse(guard, n->keyctl, ENOSYS);
	/* In a user namespace of its own a guest could mount, and mounts are invisible to PRoot. */
	guard_refuse(guard, n->setns, EPERM);
	guard_refuse_bits(guard, n->unshare, 0, CLONE_NEW_USER, EPERM);
	guard_refuse_bits(guard, n->clone, 0, CLONE_NEW_USER, EPERM);
	/* Typing into the terminal that the sandbox was started from. */
	guard_refuse_value(guard, n->ioctl, 1, TIOCSTI, EPERM);
	guard_unified(guard);
}

/* The whole filter. `allow_32_bit`: also for programs of the 32-bit kind of this machine. Returns 0, or ENOSPC if
 * MAX_RULES is too small. */
static int guard_build(struct guard *guard, int allow_32_bit)
{
	unsigned short jump;

	guard->length = 0;
	guard_load(guard, offsetof(struct seccomp_data, arch));
#ifdef __x86_64__
	static const struct numbers x64 = { 322, 303, 304, 301, 321, 248, 249, 250, 272, 308, 56, 16 };
	static const struct numbers i386 = { 358, 341, 342, 339, 357, 286, 287, 288, 310, 346, 120, 54 };
	guard_add(guard, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	jump = guard->length;
	guard_add(guard, BPF_JMP | BPF_JA, 0, 0, 0);
	guard_load(guard, offsetof(struct seccomp_data, nr));
	/* The x32 numbers: few kernels have them, no image uses them. */
	guard_add(guard, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
	guard_return(guard, REFUSE(ENOSYS));
	guard_machine(guard, &x64);
	guard->rules[jump].k = guard->length - jump - 1;
	guard_add(guard, BPF_JMP | BPF_JEQ | BPF_K, allow_32_bit ? AUDIT_ARCH_I386 : 0, 1, 0);
	guard_return(guard, REFUSE(ENOSYS));
	guard_load(guard, offsetof(struct seccomp_data, nr));
	guard_machine(guard, &i386);
#elif defined(__aarch64__)
	static const struct numbers arm64 = { 281, 264, 265, 263, 280, 217, 218, 219, 97, 268, 220, 29 };
	guard_add(guard, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_AARCH64, 1, 0);
	/* 32-bit ARM: PRoot for arm64 does not translate it. */
	guard_return(guard, REFUSE(ENOSYS));
	guard_load(guard, offsetof(struct seccomp_data, nr));
	guard_machine(guard, &arm64);
	(void)jump;
	(void)allow_32_bit;
#else
#error "a machine whose system calls are not listed"
#endif
	return guard->length > MAX_RULES ? ENOSPC : 0;
}

#endif
