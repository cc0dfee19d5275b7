// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/sys_exit.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "bpf/path_walk.h"

enum {
	SCRATCH_PER_CPU = 2,	/* as in open.bpf.c */
	PAGE_BYTES = 4096,
	ARGV_PIECES_MAX = EVENT_ARGV_MAX / PAGE_BYTES + 1,	/* the first page is rarely whole */
	ARGV_OFFSET_MAX = TAIL_BYTES,	/* behind executable, cwd and filename */
	EXEC_TAIL_BYTES = ARGV_OFFSET_MAX + EVENT_ARGV_MAX,
};

struct exec_scratch {
	__u64 is_taken;
	__u32 tail_bytes;
	__u32 reserved;
	struct exec_event event;
	char tail[EXEC_TAIL_BYTES + PAGE_BYTES];	/* the last piece may begin just below EXEC_TAIL_BYTES */
};

/* Sized by user space: CPUs * SCRATCH_PER_CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_PER_CPU);
	__type(key, __u32);
	__type(value, struct exec_scratch);
} exec_scratches SEC(".maps");

static struct exec_scratch *take_scratch(void)
{
	__u32 first = bpf_get_smp_processor_id() * SCRATCH_PER_CPU;
	struct exec_scratch *scratch;
	__u32 index;
	int i;

	for (i = 0; i < SCRATCH_PER_CPU; i++) {
		index = first + i;
		scratch = bpf_map_lookup_elem(&exec_scratches, &index);
		if (scratch && !__sync_lock_test_and_set(&scratch->is_taken, 1))
			return scratch;
	}
	return NULL;
}

/* A zeroed, numbered record, or NULL, which is counted. Goes to finish_record(). */
static struct exec_scratch *begin_record(struct session_state *session, __u64 session_key)
{
	struct exec_scratch *scratch = take_scratch();
	struct event_header lost = {};

	if (!scratch) {
		start_record(session, session_key, &lost, EVENT_EXEC);
		count_drop(session, CLASS_EXEC, DROP_NO_SCRATCH);
		return NULL;
	}
	scratch->tail_bytes = 0;
	__builtin_memset(&scratch->event, 0, sizeof(scratch->event));
	start_record(session, session_key, &scratch->event.header, EVENT_EXEC);
	fill_process(&scratch->event.process, bpf_get_current_task_btf());
	return scratch;
}

static void finish_record(struct session_state *session, struct exec_scratch *scratch)
{
	__u32 tail_bytes = scratch->tail_bytes;

	if (tail_bytes > EXEC_TAIL_BYTES)
		tail_bytes = EXEC_TAIL_BYTES;
	send_record(session, CLASS_EXEC, &scratch->event.header, sizeof(scratch->event) + tail_bytes);
	__sync_lock_test_and_set(&scratch->is_taken, 0);
}

static void append_cwd(struct exec_scratch *scratch, struct task_struct *task)
{
	append_path(scratch->tail, &scratch->tail_bytes, BPF_CORE_READ(task, fs, pwd.dentry),
		    BPF_CORE_READ(task, fs, pwd.mnt), &scratch->event.cwd);
}

/* Takes what append_user_string() or append_kernel_string() returned. */
static void note_filename(struct exec_event *event, __u32 bytes)
{
	event->filename_bytes = bytes;
	if (!bytes)
		event->flags |= EXEC_FILENAME_UNREADABLE;
}

struct argv_copy {
	char *tail;
	__u32 *tail_bytes;
	__u64 from;
	__u64 end;
	bool is_unreadable;
};

/* Page by page: a page that is not in memory costs what lies from there on, and not what lies before. */
static long copy_argv_piece(__u32 index, struct argv_copy *copy)
{
	__u32 offset = *copy->tail_bytes;
	__u64 bytes = PAGE_BYTES - (copy->from & (PAGE_BYTES - 1));

	if (bytes > copy->end - copy->from)
		bytes = copy->end - copy->from;
	if (bytes == 0)
		return 1;
	/* Else clang compares bytes - 1, and the verifier of 6.1 does not carry that bound over: "R2 unbounded". */
	barrier_var(bytes);
	if (bytes > PAGE_BYTES || offset > EXEC_TAIL_BYTES)
		return 1;
	if (bpf_probe_read_user(copy->tail + offset, bytes, (void *)copy->from)) {
		copy->is_unreadable = true;
		return 1;
	}
	*copy->tail_bytes = offset + bytes;
	copy->from += bytes;
	return 0;
}

static void append_argv(struct exec_scratch *scratch, struct task_struct *task)
{
	__u64 start = BPF_CORE_READ(task, mm, arg_start);
	__u64 end = BPF_CORE_READ(task, mm, arg_end);
	__u32 before = scratch->tail_bytes;
	struct argv_copy copy = {
		.tail = scratch->tail,
		.tail_bytes = &scratch->tail_bytes,
		.from = start,
		.end = end,
	};

	if (end <= start)
		return;
	scratch->event.argv_total_bytes = end - start;
	if (end - start > EVENT_ARGV_MAX)
		copy.end = start + EVENT_ARGV_MAX;
	bpf_loop(ARGV_PIECES_MAX, copy_argv_piece, &copy, 0);
	scratch->event.argv_bytes = scratch->tail_bytes - before;
	if (copy.is_unreadable)
		scratch->event.flags |= EXEC_ARGV_UNREADABLE;
}

/*
 * A task has a new image. Hook: tracepoint sched_process_exec, BTF-typed (5.5). Runs past the point of no return, in
 * the task: what is read here can no longer change. Blind spot: a script shows as its interpreter, with the script as
 * filename and in argv.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct exec_scratch *scratch;
	struct session_state *session;
	__u64 session_key = 0;

	session = session_of(task, &session_key);
	if (!session)
		return 0;
	scratch = begin_record(session, session_key);
	if (!scratch)
		return 0;

	append_path(scratch->tail, &scratch->tail_bytes, BPF_CORE_READ(bprm, file, f_path.dentry),
		    BPF_CORE_READ(bprm, file, f_path.mnt), &scratch->event.executable);
	append_cwd(scratch, task);
	note_filename(&scratch->event, append_kernel_string(scratch->tail, &scratch->tail_bytes, bprm->filename));
	append_argv(scratch, task);
	finish_record(session, scratch);
	return 0;
}

/* An execve(2) or execveat(2) that returned: it failed, and the task has the image it had. */
__hidden void record_failed_exec(struct session_state *session, const struct call *call)
{
	struct exec_scratch *scratch = begin_record(session, call->session_key);
	void *filename = (void *)call->arguments[call->kind == CALL_EXECVE ? 0 : 1];

	if (!scratch)
		return;
	scratch->event.result = call->result;
	append_cwd(scratch, bpf_get_current_task_btf());
	note_filename(&scratch->event, append_user_string(scratch->tail, &scratch->tail_bytes, filename));
	finish_record(session, scratch);
}
