// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/record.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

enum {
	SIGNAL_GROUP_EXIT = 0x4,	/* include/linux/sched/signal.h */
};

/* clone(2) into new namespaces, in the parent. */
static void record_namespaces(struct session_state *session, const struct owner *owner, struct task_struct *child,
			      unsigned long clone_flags)
{
	struct scratch *scratch = take_scratch(session, owner, CLASS_EXEC, EVENT_TAMPER);
	struct tamper_event *event;

	if (!scratch)
		return;
	event = BEGIN_RECORD(session, scratch, CLASS_EXEC, EVENT_TAMPER, tamper_event);
	event->op = TAMPER_NAMESPACE;
	event->detail = clone_flags & CLONE_NEW;
	event->target_pid = READ(child, tgid);
	event->target_start_boot_ns = READ(child, start_boottime);
	finish_record(session, scratch, sizeof(*event));
	give_back(scratch);
}

/* By pid alone a task that was tagged as it ended would leave its tag to a stranger. */
static void forget_pid(struct task_struct *child)
{
#ifdef CAIRN_TIER_C
	__u32 pid = READ(child, pid);

	bpf_map_delete_elem(&pids, &pid);
#endif
}

/*
 * A task has been made and does not run yet. Hook: tracepoint task_newtask in copy_process(), and not
 * sched_process_fork: io_uring's workers are made without kernel_clone(), and would lose the tag.
 */
TRACEPOINT(task_newtask)
int BPF_PROG(on_task_new, struct task_struct *child, unsigned long clone_flags)
{
	struct tag *mine = tag_of(current_task());
	struct session_state *session;
	struct tag inherited = {};
	struct owner owner = {};
	bool is_made;

	if (!mine) {
		forget_pid(child);
		return 0;
	}
	inherited.session_key = mine->session_key;
	inherited.flags = mine->flags & TAG_INJECTED;
	is_made = give_tag(child, &inherited);

	session = find_session(inherited.session_key);
	if (!session)
		return 0;
	if (!is_made)
		__sync_fetch_and_add(&session->untagged_children, 1);
	else if (!(inherited.flags & TAG_INJECTED))
		__sync_fetch_and_add(&session->tasks_born, 1);
	if (clone_flags & CLONE_NEW) {
		owner.session_key = inherited.session_key;
		owner.tag_flags = inherited.flags;
		record_namespaces(session, &owner, child, clone_flags);
	}
	return 0;
}

/* As wait4(2) will report it: kernel/exit.c, wait_task_zombie(). */
static __u32 wait_status_of(struct task_struct *task)
{
	if (BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT)
		return BPF_CORE_READ(task, signal, group_exit_code);
	return BPF_CORE_READ(task, group_leader, exit_code);
}

/* Threads that ended before are summed in the signal struct; the last one is still on its own. */
static void fill_usage(struct exit_event *event, struct task_struct *task)
{
	event->user_ns = BPF_CORE_READ(task, signal, utime) + READ(task, utime);
	event->system_ns = BPF_CORE_READ(task, signal, stime) + READ(task, stime);
	event->max_rss_pages = BPF_CORE_READ(task, signal, maxrss);
	if (bpf_core_field_exists(task->ioac)) {
		event->read_bytes = BPF_CORE_READ(task, signal, ioac.read_bytes) + READ(task, ioac.read_bytes);
		event->written_bytes = BPF_CORE_READ(task, signal, ioac.write_bytes) + READ(task, ioac.write_bytes);
	}
}

/* True for one thread of each process: two that end together can both see the count of the living at 0. */
static bool ends_process(struct task_struct *task, __u32 tag_flags)
{
	struct tag *leader;

	if (BPF_CORE_READ(task, signal, live.counter) != 0)
		return false;
	leader = tag_of(READ(task, group_leader));
#ifdef CAIRN_TIER_C
	if (!leader)	/* the other one was here, and cleared away; or nobody tagged more than this thread */
		return tag_flags & TAG_INJECTED;
#endif
	if (!leader)
		return true;
	return !(__sync_fetch_and_or(&leader->flags, TAG_EXIT_REPORTED) & TAG_EXIT_REPORTED);
}

/* In Tier C a process is known by its first thread's entry until its last thread ends. */
static void leave_pids(struct task_struct *task)
{
	__u32 pid = READ(task, pid);
#ifdef CAIRN_TIER_C
	__u32 first = READ(task, tgid);

	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		bpf_map_delete_elem(&pids, &first);
	else if (pid == first)
		return;
#endif
	bpf_map_delete_elem(&pids, &pid);
}

/*
 * A task ends. Hook: tracepoint sched_process_exit in do_exit(), in the task, when its exit code stands. It can make no
 * further event, but for the result of a connection that is still open.
 */
TRACEPOINT(sched_process_exit)
int BPF_PROG(on_task_exit, struct task_struct *task)
{
	struct exit_event event = {};
	struct session_state *session;
	struct owner owner;
	__u32 pid;

	task = current_task();
	pid = READ(task, pid);
	if (pid == (__u32)READ(task, tgid))
		bpf_map_delete_elem(&protected_pids, &pid);
	if (!tag_of(task))
		return 0;
	session = session_of(task, &owner);
	if (session && ends_process(task, owner.tag_flags)) {
		start_record(session, owner.session_key, &event.header, EVENT_EXIT);
		fill_process(&event.process, task, owner.tag_flags);
		event.wait_status = wait_status_of(task);
		fill_usage(&event, task);
		send_record(session, CLASS_EXEC, &event.header, sizeof(event));
	}

	leave_pids(task);
	if (!session || (owner.tag_flags & TAG_INJECTED))
		return 0;
	/* After the event: who sees no task alive finds everything in the rings. */
	if (owner.tag_flags & TAG_ROOT)
		__sync_fetch_and_add(&session->roots_died, 1);
	__sync_fetch_and_add(&session->tasks_died, 1);
	return 0;
}
