/* Landlock (Documentation/userspace-api/landlock.rst): a process gives up the file system but for some paths. */
#ifndef LANDLOCK_H
#define LANDLOCK_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers are the same on all machines; older headers have none. */
#define LANDLOCK_CREATE_RULESET 444
#define LANDLOCK_ADD_RULE 445
#define LANDLOCK_RESTRICT_SELF 446

#define LANDLOCK_EXECUTE (1ULL << 0)
#define LANDLOCK_WRITE_FILE (1ULL << 1)
#define LANDLOCK_READ_FILE (1ULL << 2)
#define LANDLOCK_READ_DIRECTORY (1ULL << 3)
#define LANDLOCK_CHANGE_DIRECTORY (0x1ffULL << 4) /* remove and make entries of every type */
#define LANDLOCK_REFER (1ULL << 13)
#define LANDLOCK_TRUNCATE (1ULL << 14)
#define LANDLOCK_SCOPE_ABSTRACT_SOCKETS (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNALS (1ULL << 1)

struct landlock_ruleset {
	uint64_t files, network, scoped;
};

struct landlock_path {
	uint64_t allowed;
	int32_t descriptor;
} __attribute__((packed));

struct landlock {
	int ruleset;
	uint64_t handled;
};

static const uint64_t landlock_read = LANDLOCK_EXECUTE | LANDLOCK_READ_FILE | LANDLOCK_READ_DIRECTORY;
static const uint64_t landlock_write = LANDLOCK_WRITE_FILE | LANDLOCK_CHANGE_DIRECTORY | LANDLOCK_REFER | LANDLOCK_TRUNCATE;

/* The version of the kernel's interface; 0 where it has none. */
static int landlock_version(void)
{
	long version = syscall(LANDLOCK_CREATE_RULESET, (void *)0, (size_t)0, 1u);
	return version < 0 ? 0 : (int)version;
}

/* A ruleset that takes away all writing, and all reading too if `with_reading`. Returns 0, or an errno; ENOSYS where the
 * kernel's Landlock is absent or of version 1, which forbids to rename from one directory into another. */
static int landlock_open(struct landlock *landlock, int with_reading)
{
	struct landlock_ruleset ruleset = { 0, 0, 0 };
	int version = landlock_version();
	size_t size = version >= 6 ? sizeof(ruleset) : sizeof(ruleset.files);

	if (version < 2)
		return ENOSYS;
	landlock->handled = landlock_write | (with_reading ? landlock_read : 0);
	if (version < 3)
		landlock->handled &= ~LANDLOCK_TRUNCATE;
	ruleset.files = landlock->handled;
	if (version >= 6)
		ruleset.scoped = LANDLOCK_SCOPE_ABSTRACT_SOCKETS | LANDLOCK_SCOPE_SIGNALS;
	landlock->ruleset = (int)syscall(LANDLOCK_CREATE_RULESET, &ruleset, size, 0u);
	return landlock->ruleset < 0 ? errno : 0;
}

/* Gives back `rights` below `path`. Returns 0, or an errno. */
static int landlock_allow(const struct landlock *landlock, const char *path, uint64_t rights)
{
	struct landlock_path rule = { rights & landlock->handled, -1 };
	struct stat status;
	int error = 0;

	rule.descriptor = open(path, O_PATH | O_CLOEXEC);
	if (rule.descriptor < 0)
		return errno;
	if (fstat(rule.descriptor, &status) == 0 && !S_ISDIR(status.st_mode))
		rule.allowed &= LANDLOCK_EXECUTE | LANDLOCK_READ_FILE | LANDLOCK_WRITE_FILE | LANDLOCK_TRUNCATE;
	if (rule.allowed != 0 && syscall(LANDLOCK_ADD_RULE, landlock->ruleset, 1, &rule, 0u) < 0)
		error = errno;
	close(rule.descriptor);
	return error;
}

/* From here on the ruleset holds for this process and all that it starts. Returns 0, or an errno. */
static int landlock_enforce(const struct landlock *landlock)
{
	int error = syscall(LANDLOCK_RESTRICT_SELF, landlock->ruleset, 0u) < 0 ? errno : 0;
	close(landlock->ruleset);
	return error;
}

#endif
