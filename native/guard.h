/* The escape guard: a seccomp filter that is set before PRoot starts, and that costs nothing.
 *
 * PRoot 5.4.0 rewrites the paths of the system calls that it knows. A call that it does not know reaches the kernel
 * with the guest's words and finds the host's files: so each such call is answered with ENOSYS, as an older kernel
 * would, and programs fall back to the older call. The list was made from src/syscall/sysnums-*.h of PRoot against the
 * kernel's tables up to 6.18; whatever is newer than the last call looked at is refused without being known.
 *
 * In namespaces paths need no guard: there a smaller filter refuses only what namespaces do not separate, which are the
 * user's keyrings and the caller's terminal.
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
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLONE_NEW_USER 0x10000000
#define CLONE_UNTRACED_CHILD 0x00800000
#define MAX_RULES 320

#ifndef SECCOMP_SET_MODE_FILTER
#define SECCOMP_SET_MODE_FILTER 1
#endif
#define SPECULATION_ALLOWED 4 /* SECCOMP_FILTER_FLAG_SPEC_ALLOW, since Linux 4.17 */

/* ioctl(2) requests, the same on both machines and for 32-bit programs unless said. */
#define TERMINAL_TYPE 0x5412 /* TIOCSTI */
#define TERMINAL_PASTE 0x541c /* TIOCLINUX */
#define SET_OWNER 0x8901 /* FIOSETOWN */
#define SET_GROUP 0x8902 /* SIOCSPGRP */
#define SET_FLAGS 0x40086602 /* FS_IOC_SETFLAGS */
#define SET_FLAGS_32 0x40046602 /* of 32-bit programs */
#define SET_ATTRIBUTES 0x401c5820 /* FS_IOC_FSSETXATTR */
#define OWNER 8 /* F_SETOWN */
#define OWNER_EX 15 /* F_SETOWN_EX */

/* PRoot's guests, with or without programs of the 32-bit kind of this machine, or those of namespaces. */
enum guard_kind { GUARD_PROOT, GUARD_PROOT_64, GUARD_NAMESPACES };

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

/* Refuses one call if an argument is one of `values`. */
static void guard_refuse_values(struct guard *guard, uint32_t number, int argument, const uint32_t *values, int count,
				int error)
{
	guard_add(guard, BPF_JMP | BPF_JEQ | BPF_K, number, 0, (uint8_t)(count + 3));
	guard_load(guard, ARGUMENT(argument));
	for (int i = 0; i < count; i++)
		guard_add(guard, BPF_JMP | BPF_JEQ | BPF_K, values[i], (uint8_t)(count - i), 0);
	guard_return(guard, SECCOMP_RET_ALLOW);
	guard_return(guard, REFUSE(error));
}

/* From 424 on the numbers are the same on all machines. */
static void guard_unified(struct guard *guard)
{
	/* Threads and most programs: the common case leaves here. */
	guard_add(guard, BPF_JMP | BPF_JGE | BPF_K, 425, 1, 0);
	guard_return(guard, SECCOMP_RET_ALLOW);
	/* io_uring_setup, _enter, _register; open_tree, move_mount, fsopen, fsconfig, fsmount, fspick; pidfd_open, which
	 * would give a handle on any process of the user's */
	guard_refuse_range(guard, 425, 434, ENOSYS);
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
	uint32_t unshare, setns, clone, ioctl, fcntl, mq_open, mq_unlink, perf_event_open, socket;
};

/* Sockets that no network namespace is in the way of: AF_VSOCK leads to the machine that this one is a guest of. */
static const uint32_t families[] = { 40 };

/* Keyrings belong to the user and not to the sandbox: they may hold the user's Kerberos tickets. */
static void guard_keyrings(struct guard *guard, const struct numbers *n)
{
	guard_refuse(guard, n->add_key, ENOSYS);
	guard_refuse(guard, n->request_key, ENOSYS);
	guard_refuse(guard, n->keyctl, ENOSYS);
}

/* What namespaces do not separate. */
static void guard_shared(struct guard *guard, const struct numbers *n)
{
	static const uint32_t requests[] = {
		/* Typing into the terminal that the sandbox was started from. */
		TERMINAL_TYPE, TERMINAL_PASTE,
	};

	guard_keyrings(guard, n);
	guard_refuse_values(guard, n->ioctl, 1, requests, sizeof(requests) / sizeof(requests[0]), EPERM);
	guard_refuse_values(guard, n->socket, 0, families, sizeof(families) / sizeof(families[0]), EAFNOSUPPORT);
	guard_return(guard, SECCOMP_RET_ALLOW);
}

static void guard_machine(struct guard *guard, const struct numbers *n)
{
	/* A signal of the kernel's to a process that is not the guest's. */
	static const uint32_t owners[] = { OWNER, OWNER_EX };
	/* The same, and typing into the terminal that the sandbox was started from; and flags of inputs, which can be set
	 * through descriptors that cannot write. */
	static const uint32_t requests[] = {
		TERMINAL_TYPE, TERMINAL_PASTE, SET_OWNER, SET_GROUP, SET_FLAGS, SET_FLAGS_32, SET_ATTRIBUTES,
	};

	guard_refuse(guard, n->execveat, ENOSYS);
	guard_refuse(guard, n->name_to_handle_at, ENOSYS);
	guard_refuse(guard, n->open_by_handle_at, ENOSYS);
	guard_refuse(guard, n->fanotify_mark, ENOSYS);
	guard_refuse(guard, n->bpf, ENOSYS);
	guard_keyrings(guard, n);
	/* Message queues have a name space of their own, which is the host's; and what perf can watch is the user's. */
	guard_refuse(guard, n->mq_open, ENOSYS);
	guard_refuse(guard, n->mq_unlink, ENOSYS);
	guard_refuse(guard, n->perf_event_open, ENOSYS);
	/* In a user namespace of its own a guest could mount, and mounts are invisible to PRoot. */
	guard_refuse(guard, n->setns, EPERM);
	guard_refuse_bits(guard, n->unshare, 0, CLONE_NEW_USER, EPERM);
	/* PRoot would not see what an untraced child does. */
	guard_refuse_bits(guard, n->clone, 0, CLONE_NEW_USER | CLONE_UNTRACED_CHILD, EPERM);
	guard_refuse_values(guard, n->socket, 0, families, sizeof(families) / sizeof(families[0]), EAFNOSUPPORT);
	guard_refuse_values(guard, n->fcntl, 1, owners, sizeof(owners) / sizeof(owners[0]), EPERM);
	guard_refuse_values(guard, n->ioctl, 1, requests, sizeof(requests) / sizeof(requests[0]), EPERM);
	guard_unified(guard);
}

/* One machine's part of the filter, after the jump that leads there. */
static void guard_part(struct guard *guard, const struct numbers *n, enum guard_kind kind)
{
	guard_load(guard, offsetof(struct seccomp_data, nr));
	if (kind == GUARD_NAMESPACES)
		guard_shared(guard, n);
	else
		guard_machine(guard, n);
}

/* Leads to what follows on machines of the kind `arch`, and to where guard_end is called on others. */
static unsigned short guard_begin(struct guard *guard, uint32_t arch)
{
	guard_load(guard, offsetof(struct seccomp_data, arch));
	guard_add(guard, BPF_JMP | BPF_JEQ | BPF_K, arch, 1, 0);
	guard_add(guard, BPF_JMP | BPF_JA, 0, 0, 0);
	return guard->length - 1;
}

static void guard_end(struct guard *guard, unsigned short jump)
{
	if (guard->length <= MAX_RULES)
		guard->rules[jump].k = guard->length - jump - 1;
}

/* The whole filter. Returns 0, or ENOSPC if MAX_RULES is too small. */
static int guard_build(struct guard *guard, enum guard_kind kind)
{
	unsigned short jump;

	guard->length = 0;
#ifdef __x86_64__
	static const struct numbers x64 = { 322, 303, 304, 301, 321, 248, 249, 250, 272, 308, 56, 16, 72, 240, 241, 298, 41 };
	static const struct numbers i386 = { 358, 341, 342, 339, 357, 286, 287, 288, 310, 346, 120, 54, 221, 277, 278, 336, 359 };
	jump = guard_begin(guard, AUDIT_ARCH_X86_64);
	guard_load(guard, offsetof(struct seccomp_data, nr));
	/* The x32 numbers: few kernels have them, no image uses them. */
	guard_add(guard, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
	guard_return(guard, REFUSE(ENOSYS));
	guard_part(guard, &x64, kind);
	guard_end(guard, jump);
	if (kind != GUARD_PROOT_64) {
		jump = guard_begin(guard, AUDIT_ARCH_I386);
		if (kind == GUARD_PROOT) {
			guard_load(guard, offsetof(struct seccomp_data, nr));
			/* socket and what belongs to it, since Linux 4.3: PRoot knows them as socketcall, to which libcs fall
			 * back. The older fcntl: as the newer one. */
			guard_refuse_range(guard, 359, 373, ENOSYS);
			guard_refuse_values(guard, 55, 1, (const uint32_t[]){ OWNER, OWNER_EX }, 2, EPERM);
		}
		guard_part(guard, &i386, kind);
		guard_end(guard, jump);
	}
#elif defined(__aarch64__)
	static const struct numbers arm64 = { 281, 264, 265, 263, 280, 217, 218, 219, 97, 268, 220, 29, 25, 180, 181, 241, 198 };
	static const struct numbers arm = { 387, 370, 371, 368, 386, 309, 310, 311, 337, 375, 120, 54, 221, 274, 275, 364, 281 };
	jump = guard_begin(guard, AUDIT_ARCH_AARCH64);
	guard_part(guard, &arm64, kind);
	guard_end(guard, jump);
	/* PRoot for arm64 does not translate 32-bit ARM. */
	if (kind == GUARD_NAMESPACES) {
		jump = guard_begin(guard, AUDIT_ARCH_ARM);
		guard_part(guard, &arm, kind);
		guard_end(guard, jump);
	}
#else
#error "a machine whose system calls are not listed"
#endif
	guard_return(guard, REFUSE(ENOSYS));
	return guard->length > MAX_RULES ? ENOSPC : 0;
}

/* Builds and sets the filter for this process and all that it starts; it can gain no privileges any more. Returns 0, or
 * an errno. */
static int guard_set(enum guard_kind kind)
{
	struct guard guard;
	struct sock_fprog program;
	int error = guard_build(&guard, kind);

	if (error != 0)
		return error;
	program.filter = guard.rules;
	program.len = guard.length;
	/* Kernels from 4.17 to 5.15 slow a process down that has a filter (no speculative store bypass) unless told that
	 * it runs no code of others in itself. */
#ifdef SYS_seccomp
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SPECULATION_ALLOWED, &program) == 0)
		return 0;
#endif
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? errno : 0;
}

#endif
