// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/fold.h"

#include <bpf/bpf_core_read.h>
#include <linux/magic.h>

enum {
	SESSIONS_MAX = 4096,
};

/* By sizes, as session.bpf.c's inner maps. */
struct fold_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FOLDS_MAX);
	__uint(key_size, sizeof(struct fold_key));
	__uint(value_size, sizeof(struct fold_count));
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, __u64);
	__array(values, struct fold_map);
} folds SEC(".maps");

static void read_file_key(struct file *file, __u64 *inode_number, __u32 *device)
{
	struct inode *inode = BPF_CORE_READ(file, f_path.dentry, d_inode);

	*inode_number = BPF_CORE_READ(inode, i_ino);
	*device = BPF_CORE_READ(inode, i_sb, s_dev);
}

/* /proc/PID/NAME counts by its name, where that is marked. */
static bool read_process_file_key(void *counts, struct file *file, struct fold_key *key)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct dentry *folder = BPF_CORE_READ(dentry, d_parent);
	struct super_block *filesystem = BPF_CORE_READ(dentry, d_inode, i_sb);
	struct dentry *root = BPF_CORE_READ(filesystem, s_root);
	char name[2 * sizeof(key->inode)] = {};

	if (BPF_CORE_READ(filesystem, s_magic) != PROC_SUPER_MAGIC || folder == root ||
	    BPF_CORE_READ(folder, d_parent) != root)
		return false;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
	if (name[FOLD_NAME_MAX])
		return false;
	__builtin_memcpy(&key->inode, name, sizeof(key->inode));
	key->inode |= FOLD_BY_NAME;
	key->device = BPF_CORE_READ(filesystem, s_dev);
	return bpf_map_lookup_elem(counts, key);
}

__hidden bool fold(struct session_state *session, __u64 session_key, struct file *file, enum fold_kind kind)
{
	struct fold_count first = {.last_boot_ns = bpf_ktime_get_boot_ns()};
	void *counts = bpf_map_lookup_elem(&folds, &session_key);
	struct fold_key key = {};
	struct fold_count *count;
	struct file *program;

	if (!counts)
		return false;
	if (!read_process_file_key(counts, file, &key)) {
		read_file_key(file, &key.inode, &key.device);
		if (!bpf_map_lookup_elem(counts, &key) && !(session->is_aggregating && is_crowded(session_key)))
			return false;	/* nobody marked it */
	}

	program = BPF_CORE_READ(current_task(), mm, exe_file);
	if (!program)
		return false;
	read_file_key(program, &key.program_inode, &key.program_device);
	count = bpf_map_lookup_elem(counts, &key);
	if (!count) {
		bpf_map_update_elem(counts, &key, &first, BPF_NOEXIST);
		return false;	/* each program's first use is recorded in full */
	}
	__sync_fetch_and_add(kind == FOLD_OPEN ? &count->opens : &count->maps, 1);
	__sync_fetch_and_add(&session->folded, 1);
	count->last_boot_ns = first.last_boot_ns;
	return true;
}
