/* Starts tasks for a large process, whose every fork would copy its page tables:
 *
 *   spawner
 *
 * Requests come on standard input, each as its length (four bytes, the least first) and then fields that end with a zero
 * byte: ID, working directory, the files for standard input (empty: /dev/null), output and error (the same path twice:
 * the same file), the number of arguments, the arguments, and NAME=VALUE for each variable of the environment.
 * The program is looked for along the PATH of that environment.
 *
 * Answers on standard output, a line each:
 *
 *   started ID PID
 *   failed ID ERRNO WHAT       it could not be started: `what` is cwd, stdin, stdout, stderr, fork or exec
 *   ended ID CODE SIGNAL       one of the two is 0
 *
 * Each process leads a session, and so a process group, of its own. All of the group is killed when its leader has
 * ended, before the number of the leader can go to another process; and all groups are killed when standard input ends,
 * so that nothing outlives the process that asked for it. Needs no call newer than Linux 2.6.32.
 */
#include "process.h"

#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <sys/wait.h>

#define LARGEST_REQUEST (64u << 20)

const char *const program_name = "spawner";

extern char **environ;

struct task {
	pid_t pid;
	char *id;
	struct task *next;
};

struct request {
	char *id, *cwd, *input, *output, *error;
	char **arguments, **environment;
};

/* What the child is given, and what it tells the parent, whose memory it shares until it executes. */
struct birth {
	const struct request *request;
	volatile int error;
	const char *volatile what;
};

static struct task *tasks;
static int wake[2];

static void on_child(int number)
{
	int saved = errno;
	ssize_t ignored = write(wake[1], "", 1);

	(void)number;
	(void)ignored;
	errno = saved;
}

static void *allocate(void *old, size_t size)
{
	void *memory = realloc(old, size);

	if (!memory)
		fail(ENOMEM, "no memory");
	return memory;
}

__attribute__((noreturn)) static void end(void)
{
	for (struct task *task = tasks; task; task = task->next)
		kill(-task->pid, SIGKILL);
	_exit(0);
}

/* Whoever reads the answers is gone: so are the tasks. */
static void answer(const char *text, int length)
{
	while (length > 0) {
		ssize_t written = write(1, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			end();
		text += written;
		length -= written;
	}
}

__attribute__((format(printf, 1, 2))) static void answer_line(const char *format, ...)
{
	char line[512];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	answer(line, length < (int)sizeof(line) ? length : (int)sizeof(line) - 1);
}

static int open_as(const char *path, int flags, int target)
{
	int descriptor = open(path, flags, 0666);

	if (descriptor < 0)
		return -1;
	if (descriptor == target)
		return 0;
	if (dup2(descriptor, target) < 0)
		return -1;
	close(descriptor);
	return 0;
}

/* In the child, which shares the parent's memory: nothing of it is changed but what tells of a failure. */
static int become(void *given)
{
	const int append = O_WRONLY | O_CREAT | O_APPEND;
	struct birth *birth = given;
	const struct request *request = birth->request;

	reset_signals();
	setsid();
	birth->what = "stdin";
	if (open_as(*request->input ? request->input : "/dev/null", O_RDONLY, 0) < 0)
		goto failed;
	birth->what = "stdout";
	if (open_as(request->output, append, 1) < 0)
		goto failed;
	birth->what = "stderr";
	if (strcmp(request->output, request->error) == 0 ? dup2(1, 2) < 0 : open_as(request->error, append, 2) < 0)
		goto failed;
	birth->what = "cwd";
	if (chdir(request->cwd) < 0)
		goto failed;
	birth->what = "exec";
	execvp(request->arguments[0], request->arguments);
failed:
	birth->error = errno;
	_exit(EXIT_SETUP);
}

static void start(const struct request *request)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	struct birth birth = {request, 0, "fork"};
	char **own = environ;
	sigset_t all, before;
	pid_t pid;

	/* No handler may run in the child while it has this memory. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	environ = request->environment;
	/* What vfork(2) does, which musl has not on every machine. */
	pid = clone(become, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &birth);
	if (pid < 0)
		birth.error = errno;
	environ = own;
	sigprocmask(SIG_SETMASK, &before, NULL);

	if (birth.error) {
		while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		answer_line("failed %.100s %d %s\n", request->id, birth.error, birth.what);
		return;
	}
	struct task *task = allocate(NULL, sizeof(*task));
	task->pid = pid;
	task->id = strdup(request->id);
	if (!task->id)
		fail(ENOMEM, "no memory");
	task->next = tasks;
	tasks = task;
	answer_line("started %.100s %d\n", task->id, (int)pid);
}

/* The next field, or NULL where the request ends too early. */
static char *take(char **at, const char *end)
{
	char *field = *at;
	char *zero = field < end ? memchr(field, 0, end - field) : NULL;

	if (!zero)
		return NULL;
	*at = zero + 1;
	return field;
}

static void handle(char *text, size_t length)
{
	char *at = text, *const end_of_request = text + length, *count, *field;
	struct request request;
	size_t fields = 0, arguments;
	char **words;

	for (size_t i = 0; i < length; i++)
		fields += text[i] == 0;
	request.id = take(&at, end_of_request);
	request.cwd = take(&at, end_of_request);
	request.input = take(&at, end_of_request);
	request.output = take(&at, end_of_request);
	request.error = take(&at, end_of_request);
	count = take(&at, end_of_request);
	if (!count || at[-1] != 0 || (arguments = strtoul(count, NULL, 10)) < 1 || arguments > fields - 6)
		fail(0, "a request makes no sense");
	words = allocate(NULL, (fields + 2) * sizeof(*words));
	request.arguments = words;
	for (size_t i = 0; i < arguments; i++)
		*words++ = take(&at, end_of_request);
	*words++ = NULL;
	request.environment = words;
	while ((field = take(&at, end_of_request)))
		*words++ = field;
	*words = NULL;
	start(&request);
	free(request.arguments);
}

/* Tells which tasks have ended, and ends what they have left. */
static void reap(void)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return;
		struct task **link = &tasks;
		while (*link && (*link)->pid != info.si_pid)
			link = &(*link)->next;
		struct task *task = *link;
		if (task)
			kill(-task->pid, SIGKILL);
		while (waitpid(info.si_pid, NULL, 0) < 0 && errno == EINTR)
			;
		if (!task)
			continue;
		if (info.si_code == CLD_EXITED)
			answer_line("ended %.100s %d 0\n", task->id, info.si_status);
		else
			answer_line("ended %.100s 0 %d\n", task->id, info.si_status);
		*link = task->next;
		free(task->id);
		free(task);
	}
}

/* Handles what is complete of the bytes that have come, and moves the rest to the front. Returns its length. */
static size_t handle_all(char *buffer, size_t filled)
{
	size_t at = 0;

	while (filled - at >= 4) {
		const unsigned char *head = (unsigned char *)buffer + at;
		uint32_t length = head[0] | head[1] << 8 | head[2] << 16 | (uint32_t)head[3] << 24;

		if (length > LARGEST_REQUEST)
			fail(0, "a request is too long");
		if (filled - at - 4 < length)
			break;
		handle(buffer + at + 4, length);
		at += 4 + length;
	}
	memmove(buffer, buffer + at, filled - at);
	return filled - at;
}

static void prepare(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	action.sa_handler = on_child;
	action.sa_flags = SA_NOCLDSTOP | SA_RESTART;
	if (pipe(wake) < 0)
		fail(errno, "pipe");
	for (int i = 0; i < 2; i++) {
		fcntl(wake[i], F_SETFD, FD_CLOEXEC);
		fcntl(wake[i], F_SETFL, O_NONBLOCK);
	}
	sigaction(SIGCHLD, &action, NULL);
	if (chdir("/") < 0)
		fail(errno, "/");
}

int main(void)
{
	size_t filled = 0, size = 1 << 16;
	char *buffer = allocate(NULL, size), drain[256];

	close_inherited(3);
	prepare();
	for (;;) {
		struct pollfd sources[2] = {{0, POLLIN, 0}, {wake[0], POLLIN, 0}};

		if (poll(sources, 2, -1) < 0 && errno != EINTR)
			fail(errno, "poll");
		if (sources[1].revents) {
			while (read(wake[0], drain, sizeof(drain)) > 0)
				;
			reap();
		}
		if (!sources[0].revents)
			continue;
		if (filled == size)
			buffer = allocate(buffer, size *= 2);
		ssize_t got = read(0, buffer + filled, size - filled);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			end();
		filled = handle_all(buffer, filled + got);
	}
}
