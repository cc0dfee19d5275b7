// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/record.h"

#include <bpf/bpf_core_read.h>

enum {
	/*
	 * Per CPU. One is enough where tracing programs run with preemption off, as they do up to 6.18; a kernel that
	 * preempts them lets a second task come by. Taken with an atomic exchange, so that it is right on both.
	 */
	SCRATCH_PER_CPU = 2,
	AT_FDCWD = -100,
};

/* Sized by user space: CPUs * SCRATCH_PER_CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_PER_CPU);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

__hidden struct scratch *take_scratch(struct session_state *session, const struct owner *owner, __u32 class,
				      __u32 kind)
{
	__u32 first = bpf_get_smp_processor_id() * SCRATCH_PER_CPU;
	struct event_header lost = {};
	struct scratch *scratch;
	__u32 index;
	int i;

	for (i = 0; i < SCRATCH_PER_CPU; i++) {
		index = first + i;
		scratch = bpf_map_lookup_elem(&scratches, &index);
		if (scratch && !__sync_lock_test_and_set(&scratch->is_taken, 1)) {
			scratch->owner = *owner;
			return scratch;
		}
	}
	start_record(session, owner->session_key, &lost, kind);
	count_drop(session, class, DROP_NO_SCRATCH);
	return NULL;
}

__hidden void give_back(struct scratch *scratch)
{
	__sync_lock_test_and_set(&scratch->is_taken, 0);
}

__hidden void finish_record(struct session_state *session, struct scratch *scratch, __u32 fixed_bytes)
{
	__u32 tail_bytes = scratch->tail_bytes;

	if (tail_bytes > EXEC_TAIL_BYTES)
		tail_bytes = EXEC_TAIL_BYTES;
	send_record(session, scratch->class, (struct event_header *)scratch->record, fixed_bytes + tail_bytes);
}

__hidden void append_cwd(struct scratch *scratch, char *tail, struct event_path *cwd)
{
	struct fs_struct *fs = READ(current_task(), fs);
	struct path_request request = {.walk = &scratch->walk, .tail = tail, .tail_bytes = &scratch->tail_bytes};

	if (!fs)
		return;
	request.dentry = READ(fs, pwd.dentry);
	request.vfsmount = READ(fs, pwd.mnt);
	append_path(&request, cwd);
}

__hidden void append_file(struct scratch *scratch, char *tail, struct file *file, struct event_path *path)
{
	struct path_request request = {.walk = &scratch->walk, .tail = tail, .tail_bytes = &scratch->tail_bytes};

	if (!file)
		return;
	request.dentry = BPF_CORE_READ(file, f_path.dentry);
	request.vfsmount = BPF_CORE_READ(file, f_path.mnt);
	append_path(&request, path);
}

__hidden struct file *file_of(__u32 descriptor)
{
	struct files_struct *files = READ(current_task(), files);
	struct fdtable *table;
	struct file **slots;
	struct file *file = NULL;

	if (!files)
		return NULL;
	table = READ(files, fdt);
	if (descriptor >= BPF_CORE_READ(table, max_fds))
		return NULL;
	slots = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), &slots[descriptor]);
	return file;
}

__hidden void append_directory(struct scratch *scratch, char *tail, __s32 directory, struct event_path *base)
{
	if (directory == AT_FDCWD)
		append_cwd(scratch, tail, base);
	else
		append_file(scratch, tail, file_of(directory), base);
	base->flags |= PATH_BASE;
}

__hidden void append_base(struct scratch *scratch, char *tail, __s32 directory, const void *claimed,
			  struct event_path *base)
{
	char first = 0;

	if (!claimed || bpf_probe_read_user(&first, sizeof(first), claimed) || first == '/')
		return;
	append_directory(scratch, tail, directory, base);
}
