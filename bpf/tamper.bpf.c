// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/call.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "bpf/fold.h"
#include "bpf/record.h"

enum {
	PTRACE_ATTACH = 16,
	PTRACE_SEIZE = 0x4206,
	SIGCHLD = 17,
	SIGSTOP = 19,
	SEND_SIG_PRIV = 1,	/* include/linux/sched/signal.h: in place of a pointer */
	PR_SET_MM = 35,
	PROT_EXEC = 4,
	MAP_ANONYMOUS = 0x20,
	MODULE_LOADED = 1,
	MODULE_REMOVED = 2,
	KERNEL_LOADED = 3,
	CGROUP_PATH_MAX = 4096,
};

#ifndef CAIRN_TIER_C
/* From 6.2 on. */
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *task) __ksym __weak;
#endif

/* In the initial pid namespace; 0: the caller lives in another, so that the number it gave means nothing here. */
static __u32 pid_argument(__u64 argument)
{
	struct task_struct *task = current_task();

	return BPF_CORE_READ(task, thread_pid, level) == 0 ? argument : 0;
}

/* The task that was attached to last. */
static __u32 newest_tracee(void)
{
	struct task_struct *task = current_task();
	struct list_head *first = BPF_CORE_READ(task, ptraced.next);
	struct task_struct *tracee = (void *)first - bpf_core_field_offset(struct task_struct, ptrace_entry);

	if (!first || (void *)first == (void *)task + bpf_core_field_offset(struct task_struct, ptraced))
		return 0;
	return BPF_CORE_READ(tracee, pid);
}

/* Whoever the session reached into belongs to it from here on, and so do its children. */
static void note_taint(struct tamper_event *event, const struct tag *before, const struct owner *owner, bool is_made)
{
	if (!before)
		event->notes |= TAMPER_TARGET_OUTSIDE | (is_made ? TAMPER_TAINTED : 0);
	else if (before->session_key == owner->session_key && (before->flags & TAG_INJECTED))
		event->notes |= TAMPER_TARGET_OUTSIDE | TAMPER_TAINTED;	/* by taint_attached(), a moment ago */
}

static void taint(struct tamper_event *event, __u32 pid, const struct owner *owner)
{
	struct tag made = {.session_key = owner->session_key, .flags = TAG_INJECTED};
#ifdef CAIRN_TIER_C
	struct tag *before;

	event->target_pid = pid;
	if (!pid)
		return;
	before = bpf_map_lookup_elem(&pids, &pid);
	note_taint(event, before, owner, !before && !bpf_map_update_elem(&pids, &pid, &made, BPF_NOEXIST));
#else
	struct task_struct *target;
	struct tag *before;

	event->target_pid = pid;
	if (!bpf_task_from_pid || !pid)
		return;
	target = bpf_task_from_pid(pid);
	if (!target)
		return;
	event->target_pid = target->tgid;
	event->target_start_boot_ns = BPF_CORE_READ(target, group_leader, start_boottime);
	before = tag_of(target);
	note_taint(event, before, owner, !before && give_tag(target, &made));
	bpf_task_release(target);
#endif
}

/* Returns 0 for a call that is not worth a record. */
static __u32 op_of(const struct call *call, __u64 *detail)
{
	*detail = call->arguments[0];
	switch (call->kind) {
	case CALL_BPF:
		return TAMPER_BPF;
	case CALL_PTRACE:
		return call->arguments[0] == PTRACE_ATTACH || call->arguments[0] == PTRACE_SEIZE ? TAMPER_PTRACE : 0;
	case CALL_VM_WRITEV:
		*detail = 0;
		return TAMPER_VM_WRITE;
	case CALL_SETNS:
		*detail = call->arguments[1];
		return TAMPER_NAMESPACE;
	case CALL_UNSHARE:
		*detail = call->arguments[0] & CLONE_NEW;
		return *detail ? TAMPER_NAMESPACE : 0;
	case CALL_LOAD_MODULE:
		*detail = MODULE_LOADED;
		return TAMPER_MODULE;
	case CALL_DELETE_MODULE:
		*detail = MODULE_REMOVED;
		return TAMPER_MODULE;
	case CALL_KEXEC:
		*detail = KERNEL_LOADED;
		return TAMPER_MODULE;
	case CALL_PRCTL:
		*detail = call->arguments[1];
		return call->arguments[0] == PR_SET_MM ? TAMPER_PRCTL : 0;
	case CALL_MMAP:
	case CALL_MPROTECT:
		*detail = call->arguments[2];
		return (call->arguments[2] & PROT_EXEC) && (call->result >= 0 || call->result < -4095) ?
			TAMPER_MAP_EXEC : 0;
	default:
		return 0;
	}
}

static __s32 small_result(const struct call *call)
{
	/* mmap(2) returns an address. */
	return call->kind == CALL_MMAP ? 0 : call->result;
}

__hidden void record_tamper(struct session_state *session, struct scratch *scratch)
{
	const struct call *call = &scratch->call;
	struct tamper_event *event;
	__u64 detail = 0;
	__u32 op = op_of(call, &detail);
	struct file *mapped = NULL;
	char *tail;

	if (!op)
		return;
	if (call->kind == CALL_MMAP && !(call->arguments[3] & MAP_ANONYMOUS))
		mapped = file_of(call->arguments[4]);
	if (mapped && fold(session, scratch->owner.session_key, mapped, FOLD_MAP))
		return;
	event = BEGIN_RECORD(session, scratch, CLASS_EXEC, EVENT_TAMPER, tamper_event);
	tail = scratch->record + sizeof(*event);
	event->op = op;
	event->detail = detail;
	event->result = small_result(call);
	if (op == TAMPER_PTRACE)
		taint(event, call->result == 0 ? newest_tracee() : 0, &scratch->owner);
	else if (op == TAMPER_VM_WRITE)
		taint(event, call->result >= 0 ? pid_argument(call->arguments[0]) : 0, &scratch->owner);
	else if (mapped)
		append_file(scratch, tail, mapped, &event->file);
	finish_record(session, scratch, sizeof(*event));
}

/* A task moves to another cgroup, by whomever. Hook: tracepoint cgroup_attach_task. It takes its tag along. */
TRACEPOINT(cgroup_attach_task)
int BPF_PROG(on_cgroup_move, void *to, const char *path, struct task_struct *task, bool is_threadgroup)
{
	struct session_state *session;
	struct tamper_event *event;
	struct scratch *scratch;
	struct owner owner;
	__u32 bytes;

	session = session_of(task, &owner);
	if (!session)
		return 0;
	scratch = take_scratch(session, &owner, CLASS_EXEC, EVENT_TAMPER);
	if (!scratch)
		return 0;
	event = BEGIN_RECORD(session, scratch, CLASS_EXEC, EVENT_TAMPER, tamper_event);
	fill_process(&event->process, task, owner.tag_flags);
	event->op = TAMPER_CGROUP;
	event->target_pid = bpf_get_current_pid_tgid() >> 32;
	bytes = append_kernel_string(scratch->record + sizeof(*event), &scratch->tail_bytes, path);
	event->text_bytes = bytes;
	finish_record(session, scratch, sizeof(*event));
	give_back(scratch);
	return 0;
}

/*
 * PTRACE_ATTACH stops its target by a signal of the kernel's own, and here the target comes as a pointer that may be
 * tagged, on kernels without bpf_task_from_pid() too. record_tamper() records the call when it ends.
 */
static void taint_attached(struct task_struct *target)
{
	struct tag *mine = tag_of(current_task());
	struct tag made = {.flags = TAG_INJECTED};

	if (!mine || tag_of(target))
		return;
	made.session_key = mine->session_key;
	give_tag(target, &made);
}

/* A signal is sent. Hook: tracepoint signal_generate, in the sender, with the target as the kernel found it. */
TRACEPOINT(signal_generate)
int BPF_PROG(on_signal, int signal, void *info, struct task_struct *target, int is_group, int outcome)
{
	__u32 pid = READ(target, tgid);
	struct session_state *session;
	struct tamper_event *event;
	struct scratch *scratch;
	struct owner owner;

	if (signal == SIGSTOP && (__u64)info == SEND_SIG_PRIV)
		taint_attached(target);
	if (signal == SIGCHLD || !bpf_map_lookup_elem(&protected_pids, &pid))
		return 0;	/* the end of a login process tells its parent, who is the agent */
	session = session_of(current_task(), &owner);
	if (!session)
		return 0;
	scratch = take_scratch(session, &owner, CLASS_EXEC, EVENT_TAMPER);
	if (!scratch)
		return 0;
	event = BEGIN_RECORD(session, scratch, CLASS_EXEC, EVENT_TAMPER, tamper_event);
	event->op = TAMPER_SIGNAL;
	event->detail = signal;
	event->target_pid = pid;
	finish_record(session, scratch, sizeof(*event));
	give_back(scratch);
	return 0;
}
