/* What processes share without naming a file: memory, queues and semaphores of System V and of POSIX, and keyrings. */
#include "escape.h"

#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static int attach_memory(void)
{
	int id = shmget(0x5e000000 + target.victim, 4096, 0);
	const char *memory = id < 0 ? (void *)-1 : shmat(id, NULL, SHM_RDONLY);
	return memory != (void *)-1 && strcmp(memory, "secret") == 0;
}

/* Without its key, by counting. */
static int find_memory(void)
{
	struct shmid_ds segment;
	struct shm_info information;
	int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&information);

	for (int i = 0; i <= last; i++) {
		int id = shmctl(i, SHM_STAT, &segment);
		if (id >= 0 && segment.shm_cpid == target.victim)
			return 1;
	}
	return 0;
}

static int has_key(void)
{
	char text[16] = "";
	return syscall(SYS_keyctl, 11 /* KEYCTL_READ */, target.key, text, sizeof(text)) == 6 && strncmp(text, "secret", 6) == 0;
}

/* Through the keyring of all the user's sessions, whose number /proc/keys tells, into one of our own. */
static int link_keys(void)
{
	FILE *keys = fopen("/proc/keys", "r");
	char line[512], wanted[32];
	unsigned number = 0;

	snprintf(wanted, sizeof(wanted), "_uid.%u:", getuid());
	while (keys && fgets(line, sizeof(line), keys))
		if (strstr(line, wanted))
			number = (unsigned)strtoul(line, NULL, 16);
	if (keys)
		fclose(keys);
	return number != 0 && syscall(SYS_keyctl, 8 /* KEYCTL_LINK */, number, -2 /* of the process */) == 0 && has_key();
}

void try_shared(void)
{
	char path[64];
	int key = 0x5e000000 + target.victim;

	tell("sysv-memory", in_child(attach_memory));
	tell("sysv-memory-list", find_memory());
	tell("sysv-semaphores", semget(key, 1, 0) >= 0);
	tell("sysv-queue", msgget(key, 0) >= 0);
	snprintf(path, sizeof(path), "/escape-%d", target.victim);
	tell("posix-queue", mq_open(path, O_RDONLY) >= 0);
	tell("posix-memory", is_secret(shm_open(path, O_RDONLY, 0)));
	int left = shm_open("/escape-left", O_RDWR | O_CREAT, 0600);
	/* Left for the test to find: it looks into the host's. */
	if (left >= 0)
		close(left);
	tell("key-search", syscall(SYS_keyctl, 10 /* KEYCTL_SEARCH */, -4 /* the user's */, "user", path, 0) >= 0);
	tell("key-request", syscall(SYS_request_key, "user", path, NULL, 0) >= 0);
	tell("key-link", link_keys());
}
