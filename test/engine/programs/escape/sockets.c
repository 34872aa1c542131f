/* Talking to who is outside, by addresses that are no paths, or paths that a sandbox does not look at. */
#include "escape.h"

#include <sys/socket.h>
#include <sys/un.h>

static socklen_t name(struct sockaddr_un *address, const char *path, int abstract)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path + abstract, sizeof(address->sun_path) - 1, "%s", path);
	return abstract ? (socklen_t)(sizeof(sa_family_t) + 1 + strlen(path)) : sizeof(*address);
}

/* Whoever listens says "secret". */
static int is_answered(const char *path, int abstract)
{
	struct sockaddr_un address;
	socklen_t length = name(&address, path, abstract);
	int stream = socket(AF_UNIX, SOCK_STREAM, 0), escaped = 0;
	char text[8] = "";

	if (connect(stream, (struct sockaddr *)&address, length) == 0)
		escaped = recv(stream, text, 6, 0) == 6 && strcmp(text, "secret") == 0;
	close(stream);
	return escaped;
}

static int sends(const char *path, int abstract, int how)
{
	struct sockaddr_un address;
	socklen_t length = name(&address, path, abstract);
	struct iovec data = { "x", 1 };
	struct mmsghdr message = { .msg_hdr = { &address, length, &data, 1, NULL, 0, 0 } };
	int datagram[2], escaped;

	/* Of a pair, which is made without an address. */
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram) < 0)
		return 0;
	if (how == 0)
		escaped = sendto(datagram[0], "x", 1, MSG_DONTWAIT, (struct sockaddr *)&address, length) == 1;
	else if (how == 1)
		escaped = sendmsg(datagram[0], &message.msg_hdr, MSG_DONTWAIT) == 1;
	else
		escaped = sendmmsg(datagram[0], &message, 1, MSG_DONTWAIT) == 1;
	int error = errno;
	close(datagram[0]);
	close(datagram[1]);
	errno = error;
	return escaped;
}

void try_sockets(void)
{
	static const char *const ways[] = { "sendto", "sendmsg", "sendmmsg" };
	char path[64], title[64];

	snprintf(path, sizeof(path), "/escape-%d", target.victim);
	tell("connect", is_answered(target.socket, 0));
	tell("connect-abstract", is_answered(path, 1));
	for (int how = 0; how < 3; how++) {
		tell(ways[how], sends(target.datagram, 0, how));
		snprintf(title, sizeof(title), "%s-abstract", ways[how]);
		tell(title, sends(path + 1, 1, how));
	}
	/* The machine that this one is a guest of: no network namespace is in the way. */
	tell("vsock", socket(40 /* AF_VSOCK */, SOCK_STREAM, 0) >= 0);
}
