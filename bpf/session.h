/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A session in the kernel: the tag that its tasks carry, its counters, its two rings. Functions are __hidden: the linker
 * joins them over files, and the verifier checks them with the caller's values.
 */
#pragma once

#include "bpf/kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "bpf/events.h"
#include "bpf/tier.h"

/* Pinned; user space finds all maps by name. */
#ifndef CAIRN_TIER_C
struct tags_map {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tag);
};
extern struct tags_map tags SEC(".maps");
#endif

/* Who has which tag, by pid: for the programs that may not ask the task itself. Follows `tags`; Tier C has this alone. */
struct pids_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);	/* of the thread, in the initial pid namespace */
	__type(value, struct tag);
};
extern struct pids_map pids SEC(".maps");

/* Thread groups of the agent: who signals one is recorded. User space puts them in; they leave when they end. */
struct protected_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);	/* tgid */
	__type(value, __u32);
};
extern struct protected_map protected_pids SEC(".maps");

/* Whose task it is. */
struct owner {
	__u64 session_key;
	__u32 tag_flags;
	__u32 reserved;
};

enum {
	CLONE_NEW = 0x7e020080,	/* linux/sched.h: every CLONE_NEW* */
};

/*
 * The session of `task`: its counters, and *owner; NULL when it belongs to none that is registered. The pointer holds
 * for the program's run: unregistering waits for us.
 */
struct session_state *session_of(struct task_struct *task, struct owner *owner);
struct session_state *session_of_pid(__u32 pid, struct owner *owner);
struct session_state *find_session(__u64 session_key);

/*
 * Starts a record: its time, and its number, which is spent from here on: the record must reach send_record() or
 * count_drop().
 */
void start_record(struct session_state *session, __u64 session_key, struct event_header *header, __u32 kind);

/* Puts `bytes` of `record` into the session's ring of that class; a refusal is counted. */
void send_record(struct session_state *session, __u32 class, struct event_header *record, __u32 bytes);

/*
 * For a session that must lose nothing: stops the current process when a ring is half full. At the end of a system call
 * alone, where the signal is generated at once, and before the process is entered into "held": who finds it there and
 * continues it comes after the stop. What other threads and CPUs still have under way takes the other half.
 */
void hold_back(struct session_state *session, __u64 session_key);

/* A ring of the session is more than half full. */
bool is_crowded(__u64 session_key);
void count_drop(struct session_state *session, __u32 class, __u32 reason);

/* NULL: it has none. */
struct tag *tag_of(struct task_struct *task);

/* False: there was no room, and it has none. */
bool give_tag(struct task_struct *task, const struct tag *tag);

void fill_process(struct event_process *process, struct task_struct *task, __u32 tag_flags);
