// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/path_walk.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum {
	STEPS_MAX = 1024,	/* components and mounts; EVENT_PATH_MAX / 2 one-letter names would be 2048, which nobody walks */
};

/* One name into the tail. Returns false when there is no room, or no name to read. */
static bool append_name(const struct path_request *request, const void *name)
{
	__u32 offset = *request->tail_bytes;
	long bytes;

	if (offset > TAIL_OFFSET_MAX || offset >= request->walk->end)
		return false;
	bytes = bpf_probe_read_kernel_str(request->tail + offset, EVENT_NAME_MAX, name);
	if (bytes < 0)
		return false;
	*request->tail_bytes = offset + bytes;
	return true;
}

/* A dentry that is its own parent and no mount's root hangs in no tree: memfd, pipe, socket, anon_inode. */
static void append_detached(const struct path_request *request, struct dentry *dentry)
{
	const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
	char first = 0;

	request->walk->flags |= PATH_COMPLETE | PATH_DETACHED;
	bpf_probe_read_kernel(&first, sizeof(first), name);
	if (first) {
		append_name(request, name);
		return;
	}
	request->walk->flags |= PATH_UNNAMED;
	append_name(request, BPF_CORE_READ(dentry, d_inode, i_sb, s_type, name));
}

/* From a mount's root to where it is mounted. Returns 1 at the end of the way. */
static long leave_mount(const struct path_request *request)
{
	struct walk *walk = request->walk;
	struct mount *mount = (struct mount *)walk->mount;
	struct mount *over = BPF_CORE_READ(mount, mnt_parent);

	if (!walk->first_root) {
		walk->first_root = walk->dentry;
		walk->own_end = *request->tail_bytes;
	}
	if (over == mount || !over) {
		/* Without a namespace the mount was taken out of the tree (umount -l): what stood above is gone. */
		if (BPF_CORE_READ(mount, mnt_ns))
			walk->flags |= PATH_COMPLETE;
		return 1;
	}
	walk->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
	walk->mount = (__u64)over;
	walk->mount_root = (__u64)BPF_CORE_READ(over, mnt.mnt_root);
	return 0;
}

static long step(__u32 index, struct path_request *request)
{
	struct walk *walk = request->walk;
	struct dentry *dentry = (struct dentry *)walk->dentry;
	struct dentry *parent;

	if (walk->dentry == walk->mount_root)
		return leave_mount(request);
	parent = BPF_CORE_READ(dentry, d_parent);
	if (dentry == parent || !parent) {
		if (index == 0)
			append_detached(request, dentry);
		return 1;
	}
	if (!append_name(request, BPF_CORE_READ(dentry, d_name.name)))
		return 1;
	walk->dentry = (__u64)parent;
	return 0;
}

/* From where a mount starts to the root of its file system. */
static long step_beyond(__u32 index, struct path_request *request)
{
	struct walk *walk = request->walk;
	struct dentry *dentry = (struct dentry *)walk->dentry;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

	if (dentry == parent || !parent || !append_name(request, BPF_CORE_READ(dentry, d_name.name)))
		return 1;
	walk->dentry = (__u64)parent;
	return 0;
}

__hidden void append_path(const struct path_request *given, struct event_path *path)
{
	struct path_request request = *given;
	struct walk *walk = request.walk;
	struct dentry *dentry = request.dentry;
	struct vfsmount *vfsmount = request.vfsmount;
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	__u32 offset = *request.tail_bytes;
	struct dentry *root;

	walk->dentry = (__u64)dentry;
	walk->mount = (__u64)vfsmount - bpf_core_field_offset(struct mount, mnt);
	walk->mount_root = (__u64)BPF_CORE_READ(vfsmount, mnt_root);
	walk->first_root = 0;
	walk->end = offset + EVENT_PATH_MAX;
	walk->flags = 0;
	path->inode = BPF_CORE_READ(inode, i_ino);
	path->links = BPF_CORE_READ(inode, i_nlink);
	path->device = BPF_CORE_READ(inode, i_sb, s_dev);
	bpf_loop(STEPS_MAX, step, &request, 0);
	path->bytes = *request.tail_bytes - offset;
	path->own_bytes = (walk->first_root ? walk->own_end : *request.tail_bytes) - offset;
	path->flags = walk->flags;

	offset = *request.tail_bytes;
	root = (struct dentry *)walk->first_root;
	if (root && BPF_CORE_READ(root, d_parent) != root) {
		walk->dentry = (__u64)root;
		walk->end = offset + EVENT_PATH_MAX;
		bpf_loop(STEPS_MAX, step_beyond, &request, 0);
	}
	path->beyond_bytes = *request.tail_bytes - offset;
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
