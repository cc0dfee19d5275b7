// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/call.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "bpf/record.h"

enum {
	ARGV_PIECES_MAX = EVENT_ARGV_MAX / PAGE_BYTES + 1,	/* the first page is rarely whole */
	TTY_MINOR_BITS = 20,
	NS_PER_S = 1000000000,
	CTIME_QUERIED = 0x80000000,	/* include/linux/fs.h: of i_ctime_nsec, from 6.13 on */
};

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

static void append_argv(struct scratch *scratch, struct task_struct *task)
{
	struct exec_event *event = (void *)scratch->record;
	__u64 start = BPF_CORE_READ(task, mm, arg_start);
	__u64 end = BPF_CORE_READ(task, mm, arg_end);
	__u32 before = scratch->tail_bytes;
	struct argv_copy copy = {
		.tail = scratch->record + sizeof(*event),
		.tail_bytes = &scratch->tail_bytes,
		.from = start,
		.end = end,
	};

	if (end <= start)
		return;
	event->argv_total_bytes = end - start;
	if (end - start > EVENT_ARGV_MAX)
		copy.end = start + EVENT_ARGV_MAX;
	bpf_loop(ARGV_PIECES_MAX, copy_argv_piece, &copy, 0);
	event->argv_bytes = scratch->tail_bytes - before;
	if (copy.is_unreadable)
		event->flags |= EXEC_ARGV_UNREADABLE;
}

static void fill_credentials(struct event_credentials *credentials, struct task_struct *task)
{
	struct tty_struct *tty = BPF_CORE_READ(task, signal, tty);

	credentials->euid = READ(task, cred, euid.val);
	credentials->egid = READ(task, cred, egid.val);
	credentials->securebits = READ(task, cred, securebits);
	BPF_CORE_READ_INTO(&credentials->permitted, task, cred, cap_permitted);
	BPF_CORE_READ_INTO(&credentials->effective, task, cred, cap_effective);
	if (tty)
		credentials->tty = (__u32)BPF_CORE_READ(tty, driver, major) << TTY_MINOR_BITS |
				   (BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index));
}

/* 0 where the kernel keeps it in a way that is not known here. */
static __s64 executable_ctime(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_path.dentry, d_inode);
	struct inode___6_1 *before_6_6 = (void *)inode;
	struct inode___6_6 *before_6_11 = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		return BPF_CORE_READ(inode, i_ctime_sec) * NS_PER_S +
		       (BPF_CORE_READ(inode, i_ctime_nsec) & ~CTIME_QUERIED);
	if (bpf_core_field_exists(before_6_11->__i_ctime))
		return BPF_CORE_READ(before_6_11, __i_ctime.tv_sec) * NS_PER_S + BPF_CORE_READ(before_6_11, __i_ctime.tv_nsec);
	if (bpf_core_field_exists(before_6_6->i_ctime))
		return BPF_CORE_READ(before_6_6, i_ctime.tv_sec) * NS_PER_S + BPF_CORE_READ(before_6_6, i_ctime.tv_nsec);
	return 0;
}

static void fill_namespaces(struct event_namespaces *namespaces, struct task_struct *task)
{
	namespaces->pid = BPF_CORE_READ(task, nsproxy, pid_ns_for_children, ns.inum);
	namespaces->net = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	namespaces->cgroup = BPF_CORE_READ(task, nsproxy, cgroup_ns, ns.inum);
	namespaces->user = BPF_CORE_READ(task, cred, user_ns, ns.inum);
}

/* A thread that is not the leader takes over the leader's pid when it execs; and a task that user space tagged has none yet. */
static void follow_pid(struct task_struct *task, __u32 old_pid, const struct owner *owner)
{
	struct tag tag = {.session_key = owner->session_key, .flags = owner->tag_flags};
	__u32 pid = READ(task, pid);

	if (pid != old_pid)
		bpf_map_delete_elem(&pids, &old_pid);
	bpf_map_update_elem(&pids, &pid, &tag, BPF_ANY);
}

/* Who runs other people's work: what they execute is handed over. As comm(1) of the process shows them. */
static const volatile char daemons[][16] __attribute__((aligned(8))) = {
	"systemd", "cron",  "crond", "atd",	      "anacron",       "dockerd",
	"runc",	   "crun",  "conmon", "containerd-shim", "(udev-worker)", "sshd",
};

enum {
	DAEMONS = sizeof(daemons) / sizeof(daemons[0]),
};

static bool is_handed_over(struct task_struct *task)
{
	struct task_struct *parent = READ(task, real_parent, group_leader);
	__u64 comm[2] = {};
	bool is_kernel = !READ(parent, mm);	/* of its usermode helpers: core_pattern, modprobe, hotplug */
	int i;

	if (is_kernel || READ(parent, tgid) == 1)
		return true;
	bpf_probe_read_kernel_str(comm, sizeof(comm), parent->comm);
	for (i = 0; i < DAEMONS; i++) {
		const volatile __u64 *name = (const volatile __u64 *)daemons[i];

		if (name[0] == comm[0] && name[1] == comm[1])
			return true;
	}
	return false;
}

/*
 * The host's ledger, when somebody reads it: executions outside of sessions by daemons that take work from others, so
 * that what a session hands over (systemd-run, at, cron, a container) is somewhere, if not in its recording.
 */
static struct session_state *ledger_of(struct task_struct *task, struct owner *owner)
{
	struct session_state *ledger = find_session(LEDGER_KEY);

	if (!ledger || !is_handed_over(task))
		return NULL;
	owner->session_key = LEDGER_KEY;
	owner->tag_flags = 0;
	owner->reserved = 0;
	return ledger;
}

/*
 * A task has a new image. Hook: tracepoint sched_process_exec, BTF-typed (5.5). Runs past the point of no return, in
 * the task: what is read here can no longer change. Blind spot: a script shows as its interpreter, with the script as
 * filename and in argv.
 */
TRACEPOINT(sched_process_exec)
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct session_state *session;
	struct exec_event *event;
	struct scratch *scratch;
	struct owner owner;
	char *tail;

	task = current_task();
	session = session_of(task, &owner);
#ifdef CAIRN_TIER_C
	if (!session)
		session = session_of_pid(old_pid, &owner);	/* of a thread that alone is tagged */
#endif
	if (session)
		follow_pid(task, old_pid, &owner);
	else
		session = ledger_of(task, &owner);
	if (!session)
		return 0;
	scratch = take_scratch(session, &owner, CLASS_EXEC, EVENT_EXEC);
	if (!scratch)
		return 0;
	event = BEGIN_RECORD(session, scratch, CLASS_EXEC, EVENT_EXEC, exec_event);
	tail = scratch->record + sizeof(*event);

	append_file(scratch, tail, READ(bprm, file), &event->executable);
	event->changed_ns = executable_ctime(READ(bprm, file));
	append_cwd(scratch, tail, &event->cwd);
	fill_credentials(&event->credentials, task);
	fill_namespaces(&event->namespaces, task);
	event->parent_start_boot_ns = BPF_CORE_READ(task, real_parent, group_leader, start_boottime);
	note_filename(event, append_kernel_string(tail, &scratch->tail_bytes, READ(bprm, filename)));
	if (READ(bprm, interp) != READ(bprm, filename)) {
		event->flags |= EXEC_SCRIPT;
		event->interpreter_bytes = append_kernel_string(tail, &scratch->tail_bytes, READ(bprm, interp));
	}
	append_argv(scratch, task);
	finish_record(session, scratch, sizeof(*event));
	give_back(scratch);
	return 0;
}

/* An execve(2) or execveat(2) that returned: if it failed, the task has the image it had. */
__hidden void record_failed_exec(struct session_state *session, struct scratch *scratch)
{
	const struct call *call = &scratch->call;
	void *filename = (void *)call->arguments[call->kind == CALL_EXECVE ? 0 : 1];
	struct exec_event *event;
	char *tail;

	if (call->result >= 0)
		return;	/* on_exec() has it */
	event = BEGIN_RECORD(session, scratch, CLASS_EXEC, EVENT_EXEC, exec_event);
	tail = scratch->record + sizeof(*event);
	event->result = call->result;
	if (call->is_compat)
		event->flags |= EXEC_COMPAT;
	append_cwd(scratch, tail, &event->cwd);
	note_filename(event, append_user_string(tail, &scratch->tail_bytes, filename));
	finish_record(session, scratch, sizeof(*event));
}
