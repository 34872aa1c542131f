/* System calls by the numbers of other kinds of program than this one: filters and tracers may take one for another. */
#include "escape.h"

#include <sys/socket.h>
#include <sys/un.h>

#ifdef __x86_64__
static char *low;

/* As 32-bit programs call, from a 64-bit one. */
static long call_32(long number, const void *first, long second, long third)
{
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third)
			 : "memory", "r8", "r9", "r10", "r11");
	if (result < 0) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

static int opens(void) { return is_secret((int)call_32(5, low, O_RDONLY, 0)); }
static int opens_at(void) { return is_secret((int)call_32(295, (void *)(long)AT_FDCWD, (long)low, O_RDONLY)); }

/* Without socketcall, as since Linux 4.3. */
static int connects(void)
{
	struct sockaddr_un *address = (struct sockaddr_un *)low;
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", target.socket);
	int stream = socket(AF_UNIX, SOCK_STREAM, 0);
	return call_32(362, (void *)(long)stream, (long)low, sizeof(*address)) == 0;
}

static int opens_x32(void) { return is_secret((int)syscall(0x40000000 + SYS_open, target.file, O_RDONLY)); }

void try_numbers(void)
{
	low = mmap((void *)0x20000000, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	strcpy(low, target.file);
	tell("int-0x80", in_child(opens));
	tell("int-0x80-openat", in_child(opens_at));
	tell("int-0x80-connect", in_child(connects));
	tell("x32", in_child(opens_x32));
}
#else
void try_numbers(void) {}
#endif
