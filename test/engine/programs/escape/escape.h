/* What the families of attempts share. See main.c. */
#ifndef ESCAPE_H
#define ESCAPE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same on all machines, and not in all headers. */
#define SYS_IO_URING_SETUP 425
#define SYS_IO_URING_ENTER 426
#define SYS_OPEN_TREE 428
#define SYS_PIDFD_SEND_SIGNAL 424
#define SYS_PIDFD_OPEN 434
#define SYS_OPENAT2 437
#define SYS_PIDFD_GETFD 438
#define SYS_FACCESSAT2 439
#define SYS_FCHMODAT2 452

/* What lies outside, as it was named on the command line. */
struct target {
	/* `folder`/file holds the word "secret"; `folder`/program is static and exits with 42; `folder`/open can be written
	 * by the user; `folder`/socket and `folder`/datagram are the victim's. */
	char file[4096], program[4096], open[4096], socket[4096], datagram[4096];
	/* A folder of inputs named by numbers, each of which says "input"; NULL where the engine can't protect them. */
	const char *inputs;
	/* A process of the same user, see victim.c. */
	pid_t victim;
	/* A key in the user's keyring that holds "secret". */
	int32_t key;
};
extern struct target target;

/* Prints what came of an attempt. Where it did not succeed, errno should say why. */
void tell(const char *name, int escaped);
/* Whether the descriptor, which it closes, is of the secret file. */
int is_secret(int descriptor);
/* Makes an attempt in a child, which may be killed for it. */
int in_child(int (*attempt)(void));
/* The path of an input that no other attempt has touched. */
const char *next_input(void);

/* What the victim has in its memory: the program is the same, and not position-independent. */
extern char victim_memory[16];

void be_victim(const char *folder);
void try_paths(void);
void try_running(void);
void try_rings(void);
void try_writing(void);
void try_inputs(void);
void try_processes(void);
void try_signals(void);
void try_shared(void);
void try_sockets(void);
void try_namespaces(void);
void try_tracer(void);
void try_numbers(void);
void try_races(void);
void try_terminal(void);

#endif
