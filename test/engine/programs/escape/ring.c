/* System calls that the kernel makes by itself, from a ring in memory (io_uring(7)): no tracer sees them, no filter. */
#include "escape.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { OP_CONNECT = 16, OP_OPENAT = 18, OP_STATX = 21, OP_UNLINKAT = 36 };

struct ring {
	int descriptor;
	char *rings, *done, *entries;
	uint32_t submission[10], completion[10]; /* offsets, as io_uring_setup(2) tells them */
};

static int open_ring(struct ring *ring)
{
	uint32_t parameters[30] = { 0 };
	int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;

	ring->descriptor = (int)syscall(SYS_IO_URING_SETUP, 4, parameters);
	if (ring->descriptor < 0)
		return 0;
	memcpy(ring->submission, parameters + 10, sizeof(ring->submission));
	memcpy(ring->completion, parameters + 20, sizeof(ring->completion));
	ring->rings = mmap(0, 65536, protection, flags, ring->descriptor, 0);
	ring->done = mmap(0, 65536, protection, flags, ring->descriptor, 0x8000000);
	ring->entries = mmap(0, 65536, protection, flags, ring->descriptor, 0x10000000);
	return ring->rings != MAP_FAILED && ring->done != MAP_FAILED && ring->entries != MAP_FAILED;
}

/* Makes one call and gives its result; sets errno where that is an error. */
static int call(struct ring *ring, uint8_t operation, int descriptor, const void *address, uint32_t length,
		uint64_t second, uint32_t flags)
{
	char *entry = ring->entries;
	uint32_t *tail = (uint32_t *)(ring->rings + ring->submission[1]);
	uint32_t *head = (uint32_t *)(ring->done + ring->completion[0]);
	uint32_t mask = *(uint32_t *)(ring->done + ring->completion[2]);

	memset(entry, 0, 64);
	entry[0] = (char)operation;
	*(int32_t *)(entry + 4) = descriptor;
	*(uint64_t *)(entry + 8) = second;
	*(const void **)(entry + 16) = address;
	*(uint32_t *)(entry + 24) = length;
	*(uint32_t *)(entry + 28) = flags;
	((uint32_t *)(ring->rings + ring->submission[6]))[*tail & *(uint32_t *)(ring->rings + ring->submission[2])] = 0;
	(*tail)++;
	if (syscall(SYS_IO_URING_ENTER, ring->descriptor, 1, 1, 1, 0, 0) < 0)
		return -1;
	int result = *(int32_t *)(ring->done + ring->completion[5] + 16 * (*head & mask) + 8);
	(*head)++;
	if (result < 0) {
		errno = -result;
		return -1;
	}
	return result;
}

void try_rings(void)
{
	static const char *const names[] = { "ring-open", "ring-statx", "ring-connect", "ring-unlink" };
	struct ring ring;
	char text[256], path[8192];

	if (!open_ring(&ring)) {
		int error = errno;
		for (int i = 0; i < 4; i++) {
			errno = error;
			tell(names[i], 0);
		}
		return;
	}
	tell(names[0], is_secret(call(&ring, OP_OPENAT, AT_FDCWD, target.file, 0, 0, O_RDONLY)));
	tell(names[1], call(&ring, OP_STATX, AT_FDCWD, target.file, 0x7ff, (uintptr_t)text, 0) == 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", target.socket);
	int stream = socket(AF_UNIX, SOCK_STREAM, 0);
	tell(names[2], call(&ring, OP_CONNECT, stream, &address, 0, sizeof(address), 0) == 0);
	close(stream);
	snprintf(path, sizeof(path), "%s/ring", target.open);
	tell(names[3], call(&ring, OP_UNLINKAT, AT_FDCWD, path, 0, 0, 0) == 0);
	close(ring.descriptor);
}
