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
void append_path(char *tail, __u32 *tail_bytes, struct dentry *dentry, struct vfsmount *vfsmount,
		 struct event_path *path);

/* Appends a NUL-terminated string, at most EVENT_PATH_MAX bytes. Returns its length with NUL; 0: unreadable. */
__u32 append_user_string(char *tail, __u32 *tail_bytes, const void *from);
__u32 append_kernel_string(char *tail, __u32 *tail_bytes, const void *from);
