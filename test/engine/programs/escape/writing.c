/* Changing what lies outside, and what was bound for reading. */
#include "escape.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <utime.h>

#define SET_FLAGS 0x40086602 /* FS_IOC_SETFLAGS */

void try_writing(void)
{
	char path[8192];
	struct { uint64_t flags, mode, resolve; } how = { O_WRONLY | O_CREAT, 0600, 0 };

	snprintf(path, sizeof(path), "%s/written", target.open);
	tell("write-outside", open(path, O_WRONLY | O_CREAT, 0600) >= 0);
	tell("write-outside-openat2", syscall(SYS_OPENAT2, AT_FDCWD, path, &how, sizeof(how)) >= 0);
	tell("unnamed-file-outside", open(target.open, O_TMPFILE | O_WRONLY, 0600) >= 0);
	tell("unlink-outside", unlink(path) == 0);
	tell("mkdir-outside", mkdir(path, 0700) == 0);
	tell("rmdir-outside", rmdir(path) == 0);
	tell("mkfifo-outside", mkfifo(path, 0700) == 0);
	unlink(path);
	tell("symlink-outside", symlink("x", path) == 0);
	unlink(path);
	tell("chmod-outside", chmod(target.open, 0700) == 0);
	tell("fchmodat2-outside", syscall(SYS_FCHMODAT2, AT_FDCWD, target.open, 0700, 0) == 0);
	tell("chown-outside", chown(target.open, getuid(), getgid()) == 0 && access(target.open, F_OK) == 0);
	tell("utime-outside", utime(target.open, NULL) == 0);
	tell("truncate-outside", truncate(target.file, 6) == 0);
	tell("setxattr-outside", setxattr(target.file, "user.x", "x", 1, 0) == 0);
	tell("rename-outside", rename("mine", path) == 0 && rename(path, "mine") == 0);
	tell("link-outside", link("mine", path) == 0 && unlink(path) == 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/bound", target.open);
	int bound = socket(AF_UNIX, SOCK_STREAM, 0);
	tell("bind-outside", bind(bound, (struct sockaddr *)&address, sizeof(address)) == 0);
	unlink(address.sun_path);
	close(bound);
}

static void try_content(void)
{
	const char *input = next_input();
	int writable, readable;

	tell("write-input", (writable = open(input, O_WRONLY)) >= 0 && write(writable, "x", 1) == 1);
	tell("append-input", open(next_input(), O_RDWR | O_APPEND) >= 0);
	tell("truncate-input", truncate(next_input(), 0) == 0);
	tell("open-truncate-input", open(next_input(), O_RDONLY | O_TRUNC) >= 0);
	input = next_input();
	writable = open(input, O_RDWR);
	tell("fallocate-input", fallocate(writable, 0, 0, 100) == 0);
	readable = open("mine", O_RDWR | O_TRUNC);
	(void)!write(readable, "stolen", 6);
	lseek(readable, 0, SEEK_SET);
	tell("copy-range-input", copy_file_range(readable, NULL, writable, NULL, 3, 0) == 3);
	tell("clone-input", ioctl(writable, 0x40049409 /* FICLONE */, readable) == 0);
	close(readable);
	close(writable);
	char path[64];
	readable = open(next_input(), O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", readable);
	tell("reopen-input", (writable = open(path, O_WRONLY)) >= 0 && write(writable, "x", 1) == 1);
}

/* Mode, owner, times, attributes and flags, by name and by a descriptor that cannot write. */
static void try_properties(void)
{
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	struct utimbuf old = { 1, 1 };
	char path[64];
	int descriptor, flags = 0x80 /* FS_NOATIME_FL */;

	tell("chmod-input", chmod(next_input(), 0) == 0);
	tell("fchmodat2-input", syscall(SYS_FCHMODAT2, AT_FDCWD, next_input(), 0, 0) == 0);
	tell("fchmod-input", fchmod(open(next_input(), O_RDONLY), 0) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", open(next_input(), O_PATH));
	tell("chmod-descriptor-input", chmod(path, 0) == 0);
	tell("chown-input", chown(next_input(), -1, getgid()) == 0);
	tell("fchown-input", fchown(open(next_input(), O_RDONLY), -1, getgid()) == 0);
	tell("fchownat-empty-input", syscall(SYS_fchownat, open(next_input(), O_PATH), "", -1, getgid(), AT_EMPTY_PATH) == 0);
	tell("utime-input", utime(next_input(), &old) == 0);
	tell("utimensat-input", utimensat(AT_FDCWD, next_input(), times, 0) == 0);
	tell("futimens-input", futimens(open(next_input(), O_RDONLY), times) == 0);
	tell("setxattr-input", setxattr(next_input(), "user.x", "x", 1, 0) == 0);
	tell("fsetxattr-input", fsetxattr(open(next_input(), O_RDONLY), "user.x", "x", 1, 0) == 0);
	descriptor = open(next_input(), O_RDONLY);
	tell("set-flags-input", ioctl(descriptor, SET_FLAGS, &flags) == 0);
	close(descriptor);
	(void)!symlink(next_input(), "to-input");
	tell("chmod-link-input", chmod("to-input", 0) == 0);
	unlink("to-input");
}

static void try_names(void)
{
	const char *input = next_input();
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	char path[8192];

	tell("link-input", link(input, "linked") == 0);
	tell("write-through-link", open("linked", O_WRONLY) >= 0);
	tell("chmod-through-link", chmod("linked", 0) == 0);
	unlink("linked");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", open(next_input(), O_RDONLY));
	tell("link-descriptor-input", linkat(AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW) == 0 && chmod("linked", 0) == 0);
	unlink("linked");
	tell("unlink-input", unlink(next_input()) == 0);
	tell("rename-input", rename(next_input(), "stolen") == 0);
	input = next_input();
	tell("exchange-input", syscall(SYS_renameat2, AT_FDCWD, "mine", AT_FDCWD, input, 2) == 0);
	tell("replace-input", rename("mine", next_input()) == 0);
	close(open("mine", O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof(path), "%s/new", target.inputs);
	tell("create-beside-input", open(path, O_WRONLY | O_CREAT, 0600) >= 0);
	unlink(path);
	tell("mkdir-beside-input", mkdir(path, 0700) == 0);
	rmdir(path);
	tell("chmod-inputs", chmod(target.inputs, 0711) == 0);
	tell("utime-inputs", utimensat(AT_FDCWD, target.inputs, times, 0) == 0);
}

void try_inputs(void)
{
	try_content();
	try_properties();
	try_names();
}
