/* A process of the same user that is not the sandbox's business: it has a secret in its memory, its environment, its open
 * files, its working directory, in memory and queues of System V, in a message queue, in /dev/shm and in a keyring, and
 * answers "secret" on sockets. It prints "PID KEY" when it is ready, and ends with its standard input. */
#include "escape.h"

#include <mqueue.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

char victim_memory[16] = "nothing";

static int listen_on(const char *path, int abstract, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int descriptor = socket(AF_UNIX, type, 0);
	size_t length = sizeof(address);

	snprintf(address.sun_path + abstract, sizeof(address.sun_path) - 1, "%s", path);
	if (abstract)
		length = sizeof(sa_family_t) + 1 + strlen(path);
	if (bind(descriptor, (struct sockaddr *)&address, (socklen_t)length) < 0)
		exit(1);
	if (type == SOCK_STREAM && listen(descriptor, 50) < 0)
		exit(1);
	return descriptor;
}

void be_victim(const char *folder)
{
	char path[4096];
	key_t number = 0x5e000000 + getpid();

	setpgid(0, 0);
	if (chdir(folder) < 0 || open("file", O_RDONLY) != 3)
		exit(1);
	strcpy(victim_memory, "secret");
	/* It hides from nobody: what is refused is refused by the sandbox. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	for (int i = 1; i < 32; i++)
		if (i != SIGTERM && i != SIGKILL)
			signal(i, SIG_IGN);

	int memory = shmget(number, 4096, IPC_CREAT | 0600), queue = msgget(number, IPC_CREAT | 0600);
	int semaphores = semget(number, 1, IPC_CREAT | 0600);
	strcpy(shmat(memory, NULL, 0), "secret");
	struct { long type; char text[8]; } message = { 1, "secret" };
	msgsnd(queue, &message, sizeof(message.text), 0);
	snprintf(path, sizeof(path), "/escape-%d", getpid());
	struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	mqd_t posix = mq_open(path, O_RDWR | O_CREAT, 0600, &attributes);
	int shared = shm_open(path, O_RDWR | O_CREAT, 0600);
	(void)!write(shared, "secret", 6);
	long key = syscall(SYS_add_key, "user", path, "secret", 6, -4 /* KEY_SPEC_USER_KEYRING */);
	struct pollfd polled[4] = {
		{ 0, POLLIN, 0 },
		{ listen_on("socket", 0, SOCK_STREAM), POLLIN, 0 },
		{ listen_on(path, 1, SOCK_STREAM), POLLIN, 0 },
	};
	listen_on("datagram", 0, SOCK_DGRAM);
	listen_on(path + 1, 1, SOCK_DGRAM);
	/* For tracers: one that may be stopped without end. */
	pid_t other = fork();
	if (other == 0)
		for (;;)
			pause();

	printf("%d %ld\n", getpid(), key);
	fflush(stdout);
	for (;;) {
		poll(polled, 3, -1);
		if (polled[0].revents)
			break;
		for (int i = 1; i < 3; i++)
			if (polled[i].revents & POLLIN) {
				int connection = accept(polled[i].fd, NULL, NULL);
				(void)!write(connection, "secret", 6);
				close(connection);
			}
	}
	kill(other, SIGKILL);
	shmctl(memory, IPC_RMID, NULL);
	msgctl(queue, IPC_RMID, NULL);
	semctl(semaphores, 0, IPC_RMID);
	mq_close(posix);
	mq_unlink(path);
	shm_unlink(path);
	syscall(SYS_keyctl, 9 /* KEYCTL_UNLINK */, key, -4);
	exit(0);
}
