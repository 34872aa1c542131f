/* A program that tries what a tool must not do. It prints one line for each attempt: "NAME ok REASON" where it did not
 * succeed, with the errno that it got, and "NAME ESCAPED" where it did.
 *
 *   escape try FOLDER INPUTS VICTIM KEY
 *   escape victim FOLDER               is a process outside, see victim.c
 *   escape terminal                    tries only what needs a controlling terminal
 *
 * Each attempt succeeds where there is no sandbox, unless this kernel has no such thing or forbids it to all users. For the
 * meaning of the arguments see escape.h; INPUTS is "-" where the engine cannot protect them.
 */
#include "escape.h"

struct target target;

void tell(const char *name, int escaped)
{
	const char *reason = strerrorname_np(errno);
	if (escaped)
		printf("%s ESCAPED\n", name);
	else
		printf("%s ok %s\n", name, reason ? reason : "-");
	fflush(stdout);
	errno = 0;
}

int is_secret(int descriptor)
{
	char text[16] = "";
	if (descriptor < 0)
		return 0;
	ssize_t size = pread(descriptor, text, sizeof(text) - 1, 0);
	close(descriptor);
	return size >= 6 && strncmp(text, "secret", 6) == 0;
}

int in_child(int (*attempt)(void))
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		int escaped = attempt();
		_exit(escaped ? 142 : errno < 142 ? errno : 0);
	}
	waitpid(child, &status, 0);
	errno = WIFEXITED(status) && WEXITSTATUS(status) != 142 ? WEXITSTATUS(status) : 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 142;
}

const char *next_input(void)
{
	static char path[4096];
	static int number;
	snprintf(path, sizeof(path), "%s/%d", target.inputs, number++);
	return path;
}

static void try_inherited(void)
{
	int escaped = 0;
	for (int descriptor = 3; descriptor < 1024; descriptor++)
		escaped |= fcntl(descriptor, F_GETFD) >= 0;
	tell("inherited-descriptors", escaped);
}

int main(int count, char **arguments)
{
	if (count == 3 && strcmp(arguments[1], "victim") == 0)
		be_victim(arguments[2]);
	if (count == 2 && strcmp(arguments[1], "terminal") == 0) {
		try_terminal();
		return 0;
	}
	if (count != 6)
		return 2;
	try_inherited();
	const char *folder = arguments[2];
	snprintf(target.file, sizeof(target.file), "%s/file", folder);
	snprintf(target.program, sizeof(target.program), "%s/program", folder);
	snprintf(target.open, sizeof(target.open), "%s/open", folder);
	snprintf(target.socket, sizeof(target.socket), "%s/socket", folder);
	snprintf(target.datagram, sizeof(target.datagram), "%s/datagram", folder);
	target.inputs = strcmp(arguments[3], "-") == 0 ? NULL : arguments[3];
	target.victim = atoi(arguments[4]);
	target.key = atoi(arguments[5]);
	close(open("mine", O_WRONLY | O_CREAT, 0600));
	errno = 0;

	try_paths();
	try_running();
	try_rings();
	try_writing();
	if (target.inputs)
		try_inputs();
	try_processes();
	try_signals();
	try_shared();
	try_sockets();
	try_namespaces();
	try_tracer();
	try_numbers();
	try_races();
	const char *home = getenv("HOST_HOME");
	tell("home", home && access(home, F_OK) == 0);
	printf("end\n");
	return 0;
}
