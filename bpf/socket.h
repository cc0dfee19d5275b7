/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include "bpf/kernel_types.h"

#include "bpf/session.h"

enum {
	AF_UNIX = 1,
	AF_INET = 2,
	AF_INET6 = 10,
	AF_NETLINK = 16,
	AF_VSOCK = 40,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
};

/* The socket behind a file, or NULL when the file is none. */
struct sock *sock_of(struct file *file);

/* Something was done with a socket, for which the caller's memory is not needed, or with `claimed`, a sockaddr there. */
struct socket_action {
	__u64 claimed;	/* address in user memory, or 0 */
	__u32 claimed_bytes;
	__u32 op;	/* enum socket_op */
	__u32 notes;	/* enum socket_notes */
	__s32 result;
};

struct scratch;

/* Of scratch->action. */
void record_socket(struct session_state *session, struct scratch *scratch, struct sock *sk);

/* True for what on_socket_state() does not see of a connect: another protocol than TCP, or refused before the first SYN. */
bool is_connect_worth_a_record(struct sock *sk, __s64 result);
