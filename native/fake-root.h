/* A root for fakechroot(1), which has no binds: a directory of symbolic links, to what is in an image's root file system
 * and to what is bound. What is seen by more than one name gets through fakechroot by its name on the host too. */
#ifndef FAKE_ROOT_H
#define FAKE_ROOT_H

#include "process.h"

#include <limits.h>
#include <sys/stat.h>

/* libfakechroot knows a hundred, and forgets the others without a word. */
#define FAKE_ROOT_MOST_SHOWN 99

struct fake_root {
	const char *view;
	char place[PATH_MAX];
	char *shown; /* as libfakechroot takes it: paths with colons between */
	int shown_count;
};

static void fake_root_join(char *path, const char *folder, const char *name)
{
	if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
		fail(ENAMETOOLONG, "%s/%s", folder, name);
}

/* Fills `folder` with a link for each entry of `source`. */
static void fake_root_fill(const char *source, const char *folder)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct dirent *entry;
	DIR *directory = opendir(source);

	if (!directory)
		fail(errno, "%s", source);
	while ((entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		fake_root_join(from, source, entry->d_name);
		fake_root_join(to, folder, entry->d_name);
		if (symlink(from, to) < 0)
			fail(errno, "%s", to);
	}
	closedir(directory);
}

static void fake_root_open(struct fake_root *root, const char *view, const char *place)
{
	if (mkdir(place, 0755) < 0)
		fail(errno, "--fake-root %s", place);
	root->view = view;
	/* The kernel tells the current directory by its real path, and fakechroot goes by what is in front of that. */
	if (!realpath(place, root->place))
		fail(errno, "--fake-root %s", place);
	fake_root_fill(view, root->place);
}

/* Lets the path mean what it means on the host. Returns 0 where that can't be said. */
static int fake_root_show(struct fake_root *root, const char *path)
{
	size_t before = root->shown ? strlen(root->shown) : 0, size = before + strlen(path) + 2;

	for (const char *at = root->shown; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL)
		if (strncmp(at, path, strlen(path)) == 0 && strchr(":", at[strlen(path)]))
			return 1;
	if (strchr(path, ':') || root->shown_count >= FAKE_ROOT_MOST_SHOWN)
		return 0;
	root->shown = realloc(root->shown, size);
	if (!root->shown)
		fail(ENOMEM, "no memory");
	snprintf(root->shown + before, size - before, "%s%s", before ? ":" : "", path);
	root->shown_count++;
	return 1;
}

/* Makes a directory of our own of the one that is shown at `path`, which is `part` of the guest. */
static void fake_root_enter(const struct fake_root *root, const char *path, const char *part)
{
	char source[PATH_MAX], target[PATH_MAX];
	struct stat status;
	ssize_t length;

	if (lstat(path, &status) < 0) {
		if (mkdir(path, 0755) < 0)
			fail(errno, "%s", path);
		return;
	}
	if (S_ISDIR(status.st_mode))
		return;
	fake_root_join(source, root->view, part);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	/* What is bound is gone into as it is. */
	if (strcmp(target, source) != 0)
		return;
	if (lstat(source, &status) == 0 && !S_ISDIR(status.st_mode))
		fail(0, "the image has no directory %s to show something in, but a file or a link", part);
	if (unlink(path) < 0 || mkdir(path, 0755) < 0)
		fail(errno, "%s", path);
	fake_root_fill(source, path);
}

/* Shows `host` at `guest`, over an empty file or directory at most. What the guest has to write to it must also find by
 * its name on the host, as that is where it is when it has gone there. */
static void fake_root_link(struct fake_root *root, const char *host, const char *guest, int is_writable)
{
	char path[PATH_MAX], real[PATH_MAX], other[PATH_MAX], part[PATH_MAX];
	struct stat status;
	ssize_t length;

	if (!realpath(host, real))
		fail(errno, "%s", host);
	snprintf(part, sizeof(part), "%s", guest + strspn(guest, "/"));
	for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		fake_root_join(path, root->place, part);
		fake_root_enter(root, path, part);
		*slash = '/';
	}
	fake_root_join(path, root->place, part);
	fake_root_join(other, root->view, part);
	length = readlink(path, part, sizeof(part) - 1);
	part[length < 0 ? 0 : length] = '\0';
	if (length >= 0 && strcmp(part, real) != 0 && strcmp(part, other) == 0 && unlink(path) < 0)
		fail(errno, "%s", path);
	if (lstat(path, &status) == 0 && strcmp(part, real) != 0) {
		int is_empty = S_ISDIR(status.st_mode) ? rmdir(path) == 0
			: S_ISREG(status.st_mode) && status.st_size == 0 && unlink(path) == 0;
		if (!is_empty)
			fail(0, "%s can't be shown at %s, where something else is already", host, guest);
	}
	if (symlink(real, path) < 0 && errno != EEXIST)
		fail(errno, "%s", path);

	fake_root_join(other, root->view, real);
	if ((lstat(other, &status) == 0 || !fake_root_show(root, real)) && is_writable)
		fail(0, "%s can't be written to under fakechroot: %s", host,
			strchr(real, ':') ? "there is a colon in its path" : "the image has the same path, or there are too many");
}

/* Tells libfakechroot. */
static void fake_root_close(const struct fake_root *root)
{
	if (setenv("FAKECHROOT_BASE", root->place, 1) < 0 ||
		setenv("FAKECHROOT_EXCLUDE_PATH", root->shown ? root->shown : "", 1) < 0)
		fail(errno, "FAKECHROOT_BASE");
}

#endif
