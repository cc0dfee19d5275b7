// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/session.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	SESSIONS_MAX = 4096,
	HELD_MAX = 4096,
	SIGSTOP = 19,
};

#ifndef CAIRN_TIER_C
struct tags_map tags SEC(".maps");
#endif
struct pids_map pids SEC(".maps");
struct protected_map protected_pids SEC(".maps");

/* By sizes, not by types: 6.1 takes a map without BTF, as user space makes it, for unlike a prototype with it. */
struct state_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct session_state));
};

/*
 * A map per session and not an element of one: an inner map is freed after a grace period, an element is handed to the
 * next session at once, and a program still running for the old one would count there.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, __u64);
	__array(values, struct state_map);
} sessions SEC(".maps");

struct ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);	/* of the prototype; each session brings its own size */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, __u64);
	__array(values, struct ring_map);
} exec_rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, __u64);
	__array(values, struct ring_map);
} open_rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HELD_MAX);
	__type(key, struct held_key);
	__type(value, __u64);	/* CLOCK_BOOTTIME */
} held SEC(".maps");

__hidden struct session_state *find_session(__u64 session_key)
{
	void *states = bpf_map_lookup_elem(&sessions, &session_key);
	__u32 first = 0;

	if (!states)
		return NULL;
	return bpf_map_lookup_elem(states, &first);
}

__hidden struct tag *tag_of(struct task_struct *task)
{
#ifdef CAIRN_TIER_C
	__u32 pid = READ(task, pid);

	return bpf_map_lookup_elem(&pids, &pid);
#else
	return bpf_task_storage_get(&tags, task, NULL, 0);
#endif
}

__hidden bool give_tag(struct task_struct *task, const struct tag *tag)
{
	__u32 pid = READ(task, pid);

#ifndef CAIRN_TIER_C
	if (!bpf_task_storage_get(&tags, task, (void *)tag, BPF_LOCAL_STORAGE_GET_F_CREATE))
		return false;
#endif
	return bpf_map_update_elem(&pids, &pid, tag, BPF_ANY) == 0;
}

static struct session_state *session_of_tag(struct tag *tag, struct owner *owner)
{
	if (!tag)
		return NULL;
	owner->session_key = tag->session_key;
	owner->tag_flags = tag->flags;
	owner->reserved = 0;
	return find_session(tag->session_key);
}

__hidden struct session_state *session_of(struct task_struct *task, struct owner *owner)
{
	return session_of_tag(tag_of(task), owner);
}

__hidden struct session_state *session_of_pid(__u32 pid, struct owner *owner)
{
	return session_of_tag(bpf_map_lookup_elem(&pids, &pid), owner);
}

__hidden void start_record(struct session_state *session, __u64 session_key, struct event_header *header, __u32 kind)
{
	header->boot_ns = bpf_ktime_get_boot_ns();
	header->session_key = session_key;
	header->sequence = __sync_fetch_and_add(&session->issued, 1) + 1;
	header->kind = kind;
}

__hidden void count_drop(struct session_state *session, __u32 class, __u32 reason)
{
	__u32 index = (class * DROP_COUNT + reason) & (CLASS_COUNT * DROP_COUNT - 1);

	_Static_assert((CLASS_COUNT * DROP_COUNT & (CLASS_COUNT * DROP_COUNT - 1)) == 0, "the mask needs a power of two");
	__sync_fetch_and_add((__u64 *)session->dropped + index, 1);
}

/*
 * To wake who reads costs more than the record itself (an interrupt on another CPU). Who looks by himself is woken when
 * the ring has become a quarter full: in a range, since several CPUs may pass the mark at once.
 */
static __u64 wake_up_of(void *ring, __u32 bytes)
{
	__u64 used = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) + bytes;
	__u64 mark = bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4;

	return used >= mark && used < mark + mark / 4 + bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

__hidden void send_record(struct session_state *session, __u32 class, struct event_header *record, __u32 bytes)
{
	__u64 session_key = record->session_key;
	void *ring;

	record->bytes = bytes;
	if (class == CLASS_OPEN)
		ring = bpf_map_lookup_elem(&open_rings, &session_key);
	else
		ring = bpf_map_lookup_elem(&exec_rings, &session_key);

	if (!ring)
		count_drop(session, class, DROP_NO_RING);
	else if (bpf_ringbuf_output(ring, record, bytes, session->is_polled ? wake_up_of(ring, bytes) : 0))
		count_drop(session, class, DROP_RING_FULL);
}

static bool is_half_full(void *ring)
{
	return ring && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 2;
}

__hidden bool is_crowded(__u64 session_key)
{
	return is_half_full(bpf_map_lookup_elem(&open_rings, &session_key)) ||
	       is_half_full(bpf_map_lookup_elem(&exec_rings, &session_key));
}

__hidden void hold_back(struct session_state *session, __u64 session_key)
{
	struct held_key key = {
		.session_key = session_key,
		.pid = bpf_get_current_pid_tgid() >> 32,
	};
	__u64 now;

	if (!is_crowded(session_key))
		return;
	if (bpf_send_signal(SIGSTOP))
		return;	/* it goes on, and what does not fit is counted */
	now = bpf_ktime_get_boot_ns();
	bpf_map_update_elem(&held, &key, &now, BPF_ANY);
	__sync_fetch_and_add(&session->holds, 1);
}

/* READ: to load where that is allowed, since a helper per field costs more than the rest. */
__hidden void fill_process(struct event_process *process, struct task_struct *task, __u32 tag_flags)
{
	struct nsproxy *namespaces = READ(task, nsproxy);

	process->start_boot_ns = READ(task, group_leader, start_boottime);
	process->pid = READ(task, tgid);
	process->tid = READ(task, pid);
	process->parent_pid = READ(task, real_parent, tgid);
	process->uid = READ(task, cred, uid.val);
	process->gid = READ(task, cred, gid.val);
	process->login_uid = -1;
	process->audit_session = -1;
	if (bpf_core_field_exists(task->loginuid)) {
		process->login_uid = READ(task, loginuid.val);
		process->audit_session = READ(task, sessionid);
	}
	process->mount_namespace = namespaces ? READ(namespaces, mnt_ns, ns.inum) : 0;
	process->exec_id = READ(task, self_exec_id);
	process->tag_flags = tag_flags;
	bpf_probe_read_kernel_str(process->comm, sizeof(process->comm), task->comm);
}
