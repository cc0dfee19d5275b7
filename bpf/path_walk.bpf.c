// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/path_walk.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum {
	STEPS_MAX = 1024,	/* components and mounts; EVENT_PATH_MAX / 2 one-letter names would be 2048, which nobody walks */
};

struct walk {
	char *tail;
	__u32 *tail_bytes;
	struct dentry *dentry;
	struct mount *mount;
	struct dentry *mount_root;	/* of `mount` */
	struct dentry *first_root;	/* of the file's own mount, once it is left */
	__u32 own_end;			/* *tail_bytes there */
	__u32 end;
	__u32 flags;
};

/* One name into the tail. Returns false when there is no room, or no name to read. */
static bool append_name(struct walk *walk, const void *name)
{
	__u32 offset = *walk->tail_bytes;
	long bytes;

	if (offset > TAIL_OFFSET_MAX || offset >= walk->end)
		return false;
	bytes = bpf_probe_read_kernel_str(walk->tail + offset, EVENT_NAME_MAX, name);
	if (bytes < 0)
		return false;
	*walk->tail_bytes = offset + bytes;
	return true;
}

/* A dentry that is its own parent and no mount's root hangs in no tree: memfd, pipe, socket, anon_inode. */
static void append_detached(struct walk *walk)
{
	struct dentry *dentry = walk->dentry;
	const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
	char first = 0;

	walk->flags |= PATH_COMPLETE | PATH_DETACHED;
	bpf_probe_read_kernel(&first, sizeof(first), name);
	if (first) {
		append_name(walk, name);
		return;
	}
	walk->flags |= PATH_UNNAMED;
	append_name(walk, BPF_CORE_READ(dentry, d_inode, i_sb, s_type, name));
}

static long step(__u32 index, struct walk *walk)
{
	struct dentry *dentry = walk->dentry;
	struct mount *mount = walk->mount;	/* by itself: within BPF_CORE_READ the walk too would be relocated */
	struct dentry *parent;
	struct mount *over;

	if (dentry == walk->mount_root) {
		if (!walk->first_root) {
			walk->first_root = dentry;
			walk->own_end = *walk->tail_bytes;
		}
		over = BPF_CORE_READ(mount, mnt_parent);
		if (over == mount || !over) {
			/* Without a namespace the mount was taken out of the tree (umount -l): what stood above is gone. */
			if (BPF_CORE_READ(mount, mnt_ns))
				walk->flags |= PATH_COMPLETE;
			return 1;
		}
		walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = over;
		walk->mount_root = BPF_CORE_READ(over, mnt.mnt_root);
		return 0;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	if (dentry == parent || !parent) {
		if (index == 0)
			append_detached(walk);
		return 1;
	}
	if (!append_name(walk, BPF_CORE_READ(dentry, d_name.name)))
		return 1;
	walk->dentry = parent;
	return 0;
}

/* From where a mount starts to the root of its file system. */
static long step_beyond(__u32 index, struct walk *walk)
{
	struct dentry *dentry = walk->dentry;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

	if (dentry == parent || !parent || !append_name(walk, BPF_CORE_READ(dentry, d_name.name)))
		return 1;
	walk->dentry = parent;
	return 0;
}

__hidden void append_path(char *tail, __u32 *tail_bytes, struct dentry *dentry, struct vfsmount *vfsmount,
			  struct event_path *path)
{
	__u32 offset = *tail_bytes;
	struct walk walk = {
		.tail = tail,
		.tail_bytes = tail_bytes,
		.dentry = dentry,
		.mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt),
		.mount_root = BPF_CORE_READ(vfsmount, mnt_root),
		.end = offset + EVENT_PATH_MAX,
	};
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	struct dentry *root;

	path->inode = BPF_CORE_READ(inode, i_ino);
	path->links = BPF_CORE_READ(inode, i_nlink);
	path->device = BPF_CORE_READ(inode, i_sb, s_dev);
	bpf_loop(STEPS_MAX, step, &walk, 0);
	path->bytes = *tail_bytes - offset;
	path->own_bytes = (walk.first_root ? walk.own_end : *tail_bytes) - offset;
	path->flags = walk.flags;

	offset = *tail_bytes;
	root = walk.first_root;
	if (root && BPF_CORE_READ(root, d_parent) != root) {
		walk.dentry = root;
		walk.end = offset + EVENT_PATH_MAX;
		bpf_loop(STEPS_MAX, step_beyond, &walk, 0);
	}
	path->beyond_bytes = *tail_bytes - offset;
}

__hidden __u32 append_user_string(char *tail, __u32 *tail_bytes, const void *from)
{
	__u32 offset = *tail_bytes;
	long bytes;

	if (offset > TAIL_OFFSET_MAX)
		return 0;
	bytes = bpf_probe_read_user_str(tail + offset, EVENT_PATH_MAX, from);
	if (bytes < 0)
		return 0;
	if (bytes == 0) {	/* "" on 6.1, where the helper forgets to count its NUL */
		tail[offset] = '\0';
		bytes = 1;
	}
	*tail_bytes = offset + bytes;
	return bytes;
}

__hidden __u32 append_kernel_string(char *tail, __u32 *tail_bytes, const void *from)
{
	__u32 offset = *tail_bytes;
	long bytes;

	if (offset > TAIL_OFFSET_MAX)
		return 0;
	bytes = bpf_probe_read_kernel_str(tail + offset, EVENT_PATH_MAX, from);
	if (bytes < 0)
		return 0;
	*tail_bytes = offset + bytes;
	return bytes;
}
