// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/sys_exit.h"

#include <bpf/bpf_core_read.h>

#include "bpf/path_walk.h"

enum {
	O_WRONLY = 01,
	O_CREAT = 0100,
	O_TRUNC = 01000,
	O_TMPFILE_BIT = 020000000,	/* __O_TMPFILE */
};

/* include/uapi/linux/openat2.h; not every libc's headers have it. */
struct open_how {
	__u64 flags;
	__u64 mode;
	__u64 resolve;
};

enum {
	/*
	 * Buffers per CPU. One is enough where tracing programs run with preemption off, as they do up to 6.18; a kernel
	 * that preempts them lets a second task come by. Taken with an atomic exchange, so that it is right on both.
	 */
	SCRATCH_PER_CPU = 2,
};

struct open_scratch {
	__u64 is_taken;
	__u32 tail_bytes;
	__u32 reserved;
	struct open_event event;
	char tail[TAIL_BYTES];	/* right behind the event: both are sent as one */
};

/* Sized by user space: CPUs * SCRATCH_PER_CPU. A record is assembled here since no stack or reservation holds it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_PER_CPU);
	__type(key, __u32);
	__type(value, struct open_scratch);
} open_scratches SEC(".maps");

static struct open_scratch *take_scratch(void)
{
	__u32 first = bpf_get_smp_processor_id() * SCRATCH_PER_CPU;
	struct open_scratch *scratch;
	__u32 index;
	int i;

	for (i = 0; i < SCRATCH_PER_CPU; i++) {
		index = first + i;
		scratch = bpf_map_lookup_elem(&open_scratches, &index);
		if (scratch && !__sync_lock_test_and_set(&scratch->is_taken, 1))
			return scratch;
	}
	return NULL;
}

/*
 * The file behind a descriptor that the call has just returned. Another thread may have put another file there since
 * (dup2 between fd_install and here: 1 in 20 000 under attack); then claimed and resolved path differ.
 */
static struct file *file_of(__u32 descriptor)
{
	struct fdtable *table = BPF_CORE_READ(bpf_get_current_task_btf(), files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = NULL;

	if (descriptor >= BPF_CORE_READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), &files[descriptor]);
	return file;
}

static void fill_arguments(struct open_event *event, const struct call *call)
{
	struct open_how how = {};

	switch (call->kind) {
	case CALL_OPEN:
		event->flags = call->arguments[1];
		event->mode = call->arguments[2];
		break;
	case CALL_CREAT:
		event->flags = O_CREAT | O_WRONLY | O_TRUNC;	/* what creat(2) stands for */
		event->mode = call->arguments[1];
		break;
	case CALL_OPENAT2:
		if (bpf_probe_read_user(&how, sizeof(how), (void *)call->arguments[2]))
			event->notes |= OPEN_CLAIMED_UNREADABLE;
		event->flags = how.flags;
		event->mode = how.mode;
		break;
	case CALL_OPENAT:
		event->flags = call->arguments[2];
		event->mode = call->arguments[3];
		break;
	default:
		event->flags = call->arguments[2];	/* open_by_handle_at(2) makes no file */
		break;
	}
	/* Without these the fourth register holds what was left in it. */
	if (call->kind != CALL_OPENAT2 && !(event->flags & (O_CREAT | O_TMPFILE_BIT)))
		event->mode = 0;
	event->result = call->result;
}

static void fill_record(struct open_scratch *scratch, const struct call *call)
{
	struct open_event *event = &scratch->event;
	struct file *file = call->result >= 0 ? file_of(call->result) : NULL;
	bool is_first = call->kind == CALL_OPEN || call->kind == CALL_CREAT;

	fill_process(&event->process, bpf_get_current_task_btf());
	fill_arguments(event, call);
	if (file)
		append_path(scratch->tail, &scratch->tail_bytes, BPF_CORE_READ(file, f_path.dentry),
			    BPF_CORE_READ(file, f_path.mnt), &event->file);

	if (call->kind == CALL_OPEN_BY_HANDLE) {
		event->notes |= OPEN_BY_HANDLE;
		return;
	}
	event->claimed_bytes = append_user_string(scratch->tail, &scratch->tail_bytes,
						  (void *)call->arguments[is_first ? 0 : 1]);
	if (!event->claimed_bytes)
		event->notes |= OPEN_CLAIMED_UNREADABLE;
}

__hidden void record_open(struct session_state *session, const struct call *call)
{
	struct open_scratch *scratch = take_scratch();
	struct event_header lost = {};
	__u32 tail_bytes;

	if (!scratch) {
		start_record(session, call->session_key, &lost, EVENT_OPEN);
		count_drop(session, CLASS_OPEN, DROP_NO_SCRATCH);
		return;
	}
	scratch->tail_bytes = 0;
	__builtin_memset(&scratch->event, 0, sizeof(scratch->event));
	start_record(session, call->session_key, &scratch->event.header, EVENT_OPEN);
	fill_record(scratch, call);

	tail_bytes = scratch->tail_bytes;
	if (tail_bytes > TAIL_BYTES)
		tail_bytes = TAIL_BYTES;
	send_record(session, CLASS_OPEN, &scratch->event.header, sizeof(scratch->event) + tail_bytes);
	__sync_lock_test_and_set(&scratch->is_taken, 0);
}
