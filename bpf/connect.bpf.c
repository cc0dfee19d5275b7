// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/socket.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_CLOSE = 7,
	ECANCELED = 125,
};

/* On the socket from the attempt to its result: the attempt's record, of which the result is a copy. */
#ifdef CAIRN_TIER_C
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);	/* address of the struct sock, which is not freed without a change of state */
	__type(value, struct connect_event);
} attempts SEC(".maps");
#else
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connect_event);
} attempts SEC(".maps");
#endif

static bool remember_attempt(struct sock *sk, struct connect_event *event)
{
#ifdef CAIRN_TIER_C
	__u64 key = (__u64)sk;

	return bpf_map_update_elem(&attempts, &key, event, BPF_ANY) == 0;
#else
	struct connect_event *stored = bpf_sk_storage_get(&attempts, sk, event, BPF_SK_STORAGE_GET_F_CREATE);

	if (stored)
		*stored = *event;	/* the socket may hold an earlier attempt's */
	return stored;
#endif
}

/* Into *event, and forgets it. */
static bool take_attempt(struct sock *sk, struct connect_event *event)
{
#ifdef CAIRN_TIER_C
	__u64 key = (__u64)sk;
	struct connect_event *stored = bpf_map_lookup_elem(&attempts, &key);

	if (!stored)
		return false;
	*event = *stored;
	bpf_map_delete_elem(&attempts, &key);
#else
	struct connect_event *stored = bpf_sk_storage_get(&attempts, sk, NULL, 0);

	if (!stored)
		return false;
	*event = *stored;
	bpf_sk_storage_delete(&attempts, sk);
#endif
	return true;
}

/* What the attempt and its result have in common. */
static __u64 cookie_of(struct sock *sk, __u64 attempt)
{
#ifdef CAIRN_TIER_C
	return READ(sk, __sk_common.skc_cookie.counter) ?: attempt;	/* 0: nobody has asked for one yet */
#else
	return bpf_get_socket_cookie(sk);
#endif
}

static void fill_addresses(struct connect_event *event, const struct sock *sk)
{
	event->remote_port = READ(sk, __sk_common.skc_dport);
	event->local_port = BPF_CORE_READ((const struct inet_sock *)sk, inet_sport);
	if (READ(sk, __sk_common.skc_family) == AF_INET6) {
		event->family = 6;
		BPF_CORE_READ_INTO(&event->local_address, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&event->remote_address, sk, __sk_common.skc_v6_daddr);
	} else {
		event->family = 4;
		BPF_CORE_READ_INTO((__be32 *)event->local_address, sk, __sk_common.skc_rcv_saddr);
		BPF_CORE_READ_INTO((__be32 *)event->remote_address, sk, __sk_common.skc_daddr);
	}
}

/* In the connecting task: connect(2), sendto(2) with MSG_FASTOPEN, or an io_uring worker. */
static void record_attempt(struct sock *sk)
{
	struct task_struct *task = current_task();
	struct connect_event event = {};
	struct session_state *session;
	struct owner owner;

	session = session_of(task, &owner);
	if (!session)
		return;
	start_record(session, owner.session_key, &event.header, EVENT_CONNECT);
	fill_process(&event.process, task, owner.tag_flags);
	event.phase = CONNECT_ATTEMPT;
	event.socket_cookie = cookie_of(sk, event.header.sequence);
	fill_addresses(&event, sk);

	if (!remember_attempt(sk, &event)) {
		struct event_header result = {};

		start_record(session, owner.session_key, &result, EVENT_CONNECT);
		count_drop(session, CLASS_EXEC, DROP_NO_STORAGE);
	}
	send_record(session, CLASS_EXEC, &event.header, sizeof(event));
}

/*
 * In whatever context the answer came: softirq on top of any task, hence nothing is read from the current one and the
 * record is built on the stack.
 */
static void record_result(struct sock *sk, int state)
{
	struct session_state *session;
	struct connect_event event;
	__be16 local_port;

	if (!take_attempt(sk, &event))
		return;
	session = find_session(event.header.session_key);
	if (!session)
		return;

	start_record(session, event.header.session_key, &event.header, EVENT_CONNECT);
	event.phase = CONNECT_RESULT;
	/* The kernel clears remote addresses on failure, so those stay the attempt's; its own port is chosen only after it. */
	local_port = BPF_CORE_READ((struct inet_sock *)sk, inet_sport);
	if (local_port)
		event.local_port = local_port;
	/* No error and yet not established: the program closed it, or there was no port left; the socket does not say. */
	if (state != TCP_ESTABLISHED)
		event.result = READ(sk, sk_err) ? -READ(sk, sk_err) : -ECANCELED;
	send_record(session, CLASS_EXEC, &event.header, sizeof(event));
}

/*
 * A TCP socket changes state. Hook: tracepoint inet_sock_set_state. Addresses are the kernel's own, whatever became of
 * the caller's memory. MPTCP shows by its subflows.
 */
TRACEPOINT(inet_sock_set_state)
int BPF_PROG(on_socket_state, struct sock *sk, int old_state, int new_state)
{
	if (new_state == TCP_SYN_SENT) {
		if (old_state == TCP_CLOSE && READ(sk, sk_protocol) == IPPROTO_TCP)
			record_attempt(sk);
		return 0;
	}
	/* SYN_RECV: both ends called at once, or a listener's child, which has no attempt stored. */
	if ((old_state == TCP_SYN_SENT && new_state != TCP_SYN_RECV) || old_state == TCP_SYN_RECV)
		record_result(sk, new_state);
	return 0;
}
