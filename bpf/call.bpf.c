// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/call.h"

#include <bpf/bpf_helpers.h>

#include "bpf/record.h"

/* linux/net.h: what socketcall(2)'s first argument means. */
static __u32 socket_call_of(__u64 number)
{
	switch (number) {
	case 1: return CALL_SOCKET;
	case 2: return CALL_BIND;
	case 3: return CALL_CONNECT;
	case 4: return CALL_LISTEN;
	case 5: return CALL_ACCEPT;
	case 11: return CALL_SENDTO;
	case 16: return CALL_SENDMSG;
	case 17: return CALL_RECVMSG;
	case 18: return CALL_ACCEPT;
	case 20: return CALL_SENDMSG;
	default: return CALL_OTHER;
	}
}

/* Arguments that lie in memory, where the first one should be. */
static void read_packed(struct call *call, __u64 address)
{
	__u32 arguments[6] = {};
	void *from = (void *)address;
	int i;

	if (bpf_probe_read_user(arguments, sizeof(arguments), from))
		bpf_probe_read_user(arguments, sizeof(arguments) / 2, from);	/* fewer, at the end of a page */
	for (i = 0; i < 6; i++)
		call->arguments[i] = arguments[i];
}

__hidden void read_call(struct scratch *scratch, const struct pt_regs *regs, long result, __u32 kind, bool is_compat)
{
	struct call *call = &scratch->call;

	call->kind = kind;
	call->is_compat = is_compat;
	call->result = is_compat ? (int)result : result;
	if (!is_compat) {
		call->arguments[0] = READ(regs, di);
		call->arguments[1] = READ(regs, si);
		call->arguments[2] = READ(regs, dx);
		call->arguments[3] = READ(regs, r10);
		call->arguments[4] = READ(regs, r8);
		call->arguments[5] = READ(regs, r9);
		return;
	}
	call->arguments[0] = (__u32)READ(regs, bx);
	call->arguments[1] = (__u32)READ(regs, cx);
	call->arguments[2] = (__u32)READ(regs, dx);
	call->arguments[3] = (__u32)READ(regs, si);
	call->arguments[4] = (__u32)READ(regs, di);
	call->arguments[5] = (__u32)READ(regs, bp);
	if (kind == CALL_SOCKETCALL) {
		call->kind = socket_call_of(call->arguments[0]);
		read_packed(call, call->arguments[1]);
	} else if (kind == CALL_OLD_MMAP) {
		call->kind = CALL_MMAP;
		read_packed(call, call->arguments[0]);
	}
}
