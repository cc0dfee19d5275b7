// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/socket.h"

#include <bpf/bpf_core_read.h>

#include "bpf/record.h"
#include "bpf/call.h"

enum {
	S_IFMT = 0170000,
	S_IFSOCK = 0140000,
	SOCK_RAW = 3,
	UNIX_PATH_MAX = 108,
	SOCKADDR_FAMILY_BYTES = 2,
	EINTR = 4,
	ECONNRESET = 104,
	EISCONN = 106,
	ETIMEDOUT = 110,
	ECONNREFUSED = 111,
	EALREADY = 114,
	EINPROGRESS = 115,
	ERESTARTSYS = 512,
};

/* struct sockaddr_in, _in6, _un, _vm as one: the caller's bytes. */
struct claimed_address {
	__u16 family;
	__u8 bytes[UNIX_PATH_MAX + 2];
};

__hidden struct sock *sock_of(struct file *file)
{
	struct socket *socket;

	if (!file || (BPF_CORE_READ(file, f_path.dentry, d_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

__hidden bool is_connect_worth_a_record(struct sock *sk, __s64 result)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family == AF_NETLINK)
		return false;
	if ((family != AF_INET && family != AF_INET6) || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return true;
	switch (result) {
	case 0:
	case -EINPROGRESS:
	case -EALREADY:
	case -EISCONN:
	case -EINTR:
	case -ECONNRESET:
	case -ETIMEDOUT:
	case -ECONNREFUSED:
	case -ERESTARTSYS:
		return false;
	default:
		return true;
	}
}

/* An unnamed socket has no address. Returns the bytes appended. */
static __u32 append_unix_address(struct scratch *scratch, char *tail, struct sock *sk)
{
	struct unix_address *address = BPF_CORE_READ((struct unix_sock *)sk, addr);
	__u32 offset;
	__u32 bytes;

	if (!address)
		return 0;
	bytes = BPF_CORE_READ(address, len) - SOCKADDR_FAMILY_BYTES;
	barrier_var(bytes);
	offset = scratch->tail_bytes;	/* late: 6.1 forgets its bound when it is spilled */
	if (bytes > UNIX_PATH_MAX || offset > TAIL_OFFSET_MAX)
		return 0;
	if (bpf_probe_read_kernel(tail + offset, bytes, &address->name[0].sun_path))
		return 0;
	scratch->tail_bytes = offset + bytes;
	return bytes;
}

static void fill_unix(struct scratch *scratch, char *tail, struct sock *sk, struct socket_event *event)
{
	struct sock *peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
	struct pid *peer_pid = BPF_CORE_READ(sk, sk_peer_pid);

	event->local_bytes = append_unix_address(scratch, tail, sk);
	if (peer)
		event->remote_bytes = append_unix_address(scratch, tail, peer);
	if (peer_pid)
		event->peer_pid = BPF_CORE_READ(peer_pid, numbers[0].nr);
}

static void fill_kernel_addresses(struct scratch *scratch, char *tail, struct sock *sk, struct socket_event *event)
{
	struct vsock_sock *vsock = (struct vsock_sock *)sk;

	switch (event->family) {
	case AF_INET:
		BPF_CORE_READ_INTO((__be32 *)event->local_address, sk, __sk_common.skc_rcv_saddr);
		BPF_CORE_READ_INTO((__be32 *)event->remote_address, sk, __sk_common.skc_daddr);
		break;
	case AF_INET6:
		BPF_CORE_READ_INTO(&event->local_address, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&event->remote_address, sk, __sk_common.skc_v6_daddr);
		break;
	case AF_UNIX:
		fill_unix(scratch, tail, sk, event);
		return;
	case AF_VSOCK:
		if (!bpf_core_type_exists(struct vsock_sock))	/* the module is not loaded, or its BTF not at hand */
			return;
		*(__u32 *)event->local_address = BPF_CORE_READ(vsock, local_addr.svm_cid);
		*(__u32 *)(event->local_address + 4) = BPF_CORE_READ(vsock, local_addr.svm_port);
		*(__u32 *)event->remote_address = BPF_CORE_READ(vsock, remote_addr.svm_cid);
		*(__u32 *)(event->remote_address + 4) = BPF_CORE_READ(vsock, remote_addr.svm_port);
		return;
	default:
		return;
	}
	event->remote_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	event->local_port = BPF_CORE_READ((struct inet_sock *)sk, inet_sport);
}

static bool has_remote(const struct socket_event *event)
{
	return event->remote_port || event->remote_bytes || event->peer_pid || *(__u64 *)event->remote_address ||
	       *(__u64 *)(event->remote_address + 8);
}

/* What the caller's memory says of the remote end. */
static void fill_claimed(struct scratch *scratch, char *tail, struct socket_event *event)
{
	const struct socket_action *action = &scratch->action;
	struct claimed_address address = {};
	__u32 offset;
	__u32 bytes = action->claimed_bytes;

	if (bytes > sizeof(address))
		bytes = sizeof(address);
	barrier_var(bytes);
	if (bytes < SOCKADDR_FAMILY_BYTES || bytes > sizeof(address) ||
	    bpf_probe_read_user(&address, bytes, (void *)action->claimed))
		return;
	event->notes |= SOCKET_REMOTE_CLAIMED;
	switch (address.family) {
	case AF_INET:
		event->remote_port = *(__be16 *)address.bytes;
		__builtin_memcpy(event->remote_address, address.bytes + 2, 4);
		break;
	case AF_INET6:
		event->remote_port = *(__be16 *)address.bytes;
		__builtin_memcpy(event->remote_address, address.bytes + 6, 16);
		break;
	case AF_VSOCK:	/* struct sockaddr_vm: port, then context id */
		__builtin_memcpy(event->remote_address, address.bytes + 6, 4);
		__builtin_memcpy(event->remote_address + 4, address.bytes + 2, 4);
		break;
	case AF_UNIX:
		bytes -= SOCKADDR_FAMILY_BYTES;
		barrier_var(bytes);
		offset = scratch->tail_bytes;
		if (offset > TAIL_OFFSET_MAX || bytes > UNIX_PATH_MAX ||
		    bpf_probe_read_user(tail + offset, bytes, (void *)action->claimed + SOCKADDR_FAMILY_BYTES))
			return;
		scratch->tail_bytes = offset + bytes;
		event->remote_bytes = bytes;
		break;
	}
}

__hidden void record_socket(struct session_state *session, struct scratch *scratch, struct sock *sk)
{
	const struct socket_action *action = &scratch->action;
	struct socket_event *event = BEGIN_RECORD(session, scratch, CLASS_EXEC, EVENT_SOCKET, socket_event);
	char *tail = scratch->record + sizeof(*event);

	event->op = action->op;
	event->notes = action->notes;
	event->result = action->result;
	event->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	event->type = BPF_CORE_READ(sk, sk_type);
	event->protocol = BPF_CORE_READ(sk, sk_protocol);
	fill_kernel_addresses(scratch, tail, sk, event);
	if (action->claimed && (action->op == SOCKET_SEND || !has_remote(event)))
		fill_claimed(scratch, tail, event);
	finish_record(session, scratch, sizeof(*event));
}

/* struct msghdr begins with the address and its length, in both ABIs. */
static void read_message_address(const struct call *call, struct socket_action *action)
{
	struct { __u64 name; __u32 bytes; } header = {};
	struct { __u32 name; __u32 bytes; } compat_header = {};

	if (call->is_compat) {
		bpf_probe_read_user(&compat_header, sizeof(compat_header), (void *)call->arguments[1]);
		action->claimed = compat_header.name;
		action->claimed_bytes = compat_header.bytes;
	} else {
		bpf_probe_read_user(&header, 12, (void *)call->arguments[1]);
		action->claimed = header.name;
		action->claimed_bytes = header.bytes;
	}
}

/* What is recorded of TCP and UDP elsewhere: by socket state, and by the datagram hooks, from kernel memory alone. */
static bool has_hook_of_its_own(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);

	return (family == AF_INET || family == AF_INET6) && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
}

static bool is_common_socket(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return family == AF_UNIX || family == AF_NETLINK ||
	       ((family == AF_INET || family == AF_INET6) && BPF_CORE_READ(sk, sk_type) != SOCK_RAW);
}

__hidden void record_socket_call(struct session_state *session, struct scratch *scratch)
{
	const struct call *call = &scratch->call;
	struct socket_action *action = &scratch->action;
	bool makes_one = call->kind == CALL_SOCKET || call->kind == CALL_ACCEPT;
	struct sock *sk;

	if (makes_one && call->result < 0)
		return;
	__builtin_memset(action, 0, sizeof(*action));
	action->result = call->result;
	action->notes = call->is_compat ? SOCKET_COMPAT : 0;
	sk = sock_of(file_of(makes_one ? call->result : call->arguments[0]));
	if (!sk)
		return;
	switch (call->kind) {
	case CALL_SOCKET:
		if (is_common_socket(sk))
			return;
		action->op = SOCKET_CREATE;
		break;
	case CALL_BIND:
		action->op = SOCKET_BIND;
		break;
	case CALL_LISTEN:
		action->op = SOCKET_LISTEN;
		break;
	case CALL_ACCEPT:
		action->op = SOCKET_ACCEPT;
		break;
	case CALL_CONNECT:
		if (!is_connect_worth_a_record(sk, call->result))
			return;
		action->op = SOCKET_CONNECT;
		action->claimed = call->arguments[1];
		action->claimed_bytes = call->arguments[2];
		break;
	case CALL_SENDTO:
		action->op = SOCKET_SEND;
		action->claimed = call->arguments[4];
		action->claimed_bytes = call->arguments[5];
		break;
	default:
		action->op = SOCKET_SEND;
		read_message_address(call, action);
		break;
	}
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_NETLINK)
		return;
	if (action->op == SOCKET_SEND && (!action->claimed || has_hook_of_its_own(sk)))
		return;
	record_socket(session, scratch, sk);
}
