/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include "bpf/kernel_types.h"

#include "bpf/events.h"

enum {
	/* What one path or one string may take of a tail; the last component may begin just below EVENT_PATH_MAX. */
	TAIL_PART_MAX = EVENT_PATH_MAX + EVENT_NAME_MAX,
	/* Where a path or a string may begin, at most: behind five others. Every tail has room for TAIL_PART_MAX from here. */
	TAIL_OFFSET_MAX = 5 * TAIL_PART_MAX,
	TAIL_BYTES = TAIL_OFFSET_MAX + TAIL_PART_MAX,
};

/* How far a walk is. In a map: what a loop's body reads through a pointer to the stack the verifier takes for constant. */
struct walk {
	__u64 dentry;		/* kernel addresses */
	__u64 mount;
	__u64 mount_root;	/* a dentry, of `mount` */
	__u64 first_root;	/* of the file's own mount, once it is left */
	__u32 own_end;		/* *tail_bytes there */
	__u32 end;		/* where *tail_bytes must stop */
	__u32 flags;		/* enum path_flags */
	__u32 reserved;
};

/*
 * A tail is filled from its start; *tail_bytes says how far. Both lie in a map: of a number that lies there the verifier
 * knows nothing, so that one round of a loop stands for all (on the stack it tried each length: 560 000 steps on 6.18).
 *   tail  TAIL_BYTES at least
 */

/*
 * Walks from a dentry up to the root of the mount namespace, across mounts, and appends the names it meets: what the
 * process's root or its working directory are does not matter, and user memory is not read. Where the first mount shows
 * only a part of its file system, walks on to that one's root. Fills *path.
 * Renames during the walk can mix old and new names; inode and device are of the very object.
 */
struct path_request {
	struct walk *walk;	/* in a map; its content does not matter */
	char *tail;
	__u32 *tail_bytes;
	struct dentry *dentry;
	struct vfsmount *vfsmount;
};
void append_path(const struct path_request *request, struct event_path *path);

/* Appends a NUL-terminated string, at most EVENT_PATH_MAX bytes. Returns its length with NUL; 0: unreadable. */
__u32 append_user_string(char *tail, __u32 *tail_bytes, const void *from);
__u32 append_kernel_string(char *tail, __u32 *tail_bytes, const void *from);
