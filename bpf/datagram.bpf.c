// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/socket.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#include "bpf/record.h"

/* On a socket: whom its last datagram went to, so that a stream of them to one address is one record. */
struct flow {
	__u8 address[EVENT_ADDRESS_BYTES];
	__be16 port;
	__u16 is_known;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct flow);
} flows SEC(".maps");

/* True when it differs from the socket's last one; without storage every datagram does. */
static bool is_new_flow(struct bpf_sock_addr *ctx, const struct flow *now)
{
	struct bpf_sock *sk = ctx->sk;
	struct flow *last = sk ? bpf_sk_storage_get(&flows, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE) : NULL;

	if (!last)
		return true;
	if (last->is_known && last->port == now->port && *(__u64 *)last->address == *(__u64 *)now->address &&
	    *(__u64 *)(last->address + 8) == *(__u64 *)(now->address + 8))
		return false;
	*last = *now;
	last->is_known = 1;
	return true;
}

static void record_datagram(struct bpf_sock_addr *ctx, __u16 family, const struct flow *to)
{
	struct session_state *session;
	struct socket_event *event;
	struct scratch *scratch;
	struct owner owner;

	session = session_of_pid(READ(current_task(), pid), &owner);
	if (!session || !is_new_flow(ctx, to))
		return;
	scratch = take_scratch(session, &owner, CLASS_EXEC, EVENT_SOCKET);
	if (!scratch)
		return;
	event = BEGIN_RECORD(session, scratch, CLASS_EXEC, EVENT_SOCKET, socket_event);
	event->op = SOCKET_SEND;
	event->family = family;
	event->type = ctx->type;
	event->protocol = ctx->protocol;
	event->socket_cookie = bpf_get_socket_cookie(ctx);
	__builtin_memcpy(event->remote_address, to->address, sizeof(event->remote_address));
	event->remote_port = to->port;
	if (ctx->sk)
		event->local_port = bpf_htons(ctx->sk->src_port);
	finish_record(session, scratch, sizeof(*event));
	give_back(scratch);
}

/*
 * A datagram goes to an address that the caller gave. Hook: cgroup2, in udp_sendmsg() and udpv6_sendmsg(), with the
 * kernel's copy of the address. Up to 6.12 such a program may not ask for task storage: the owner is found by pid.
 */
SEC("cgroup/sendmsg4")
int on_datagram_4(struct bpf_sock_addr *ctx)
{
	struct flow to = {.port = ctx->user_port};

	*(__u32 *)to.address = ctx->user_ip4;
	record_datagram(ctx, AF_INET, &to);
	return 1;	/* let it pass */
}

SEC("cgroup/sendmsg6")
int on_datagram_6(struct bpf_sock_addr *ctx)
{
	struct flow to = {.port = ctx->user_port};

	((__u32 *)to.address)[0] = ctx->user_ip6[0];
	((__u32 *)to.address)[1] = ctx->user_ip6[1];
	((__u32 *)to.address)[2] = ctx->user_ip6[2];
	((__u32 *)to.address)[3] = ctx->user_ip6[3];
	record_datagram(ctx, AF_INET6, &to);
	return 1;
}
