// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/call.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "bpf/calls.h"
#include "bpf/record.h"

static __always_inline int on_call(const struct pt_regs *regs, long result, __u32 kind, bool is_compat)
{
	struct session_state *session;
	struct scratch *scratch;
	struct owner owner;

	session = session_of(current_task(), &owner);
	if (!session)
		return 0;
	scratch = take_scratch(session, &owner, CLASS_OPEN, EVENT_OPEN);
	if (!scratch)
		return 0;
	read_call(scratch, regs, result, kind, is_compat);
	record_call(session, scratch, kind == CALL_SOCKETCALL || kind == CALL_OLD_MMAP ? scratch->call.kind : kind);
	give_back(scratch);
	if (session->is_lossless)
		hold_back(session, owner.session_key);
	return 0;
}

/*
 * One system call has ended. Hook: the end (fexit) of the function that carries it out, one program for each: no other
 * call of any process passes here. Its registers are the caller's, and still hold the arguments. Not seen: io_uring, and
 * what seccomp or the caller's tracer refused before the function.
 */
#define HOOK_64(number, name, function, kind) \
	SEC("fexit/__x64_" #function) \
	int BPF_PROG(x64_##name, const struct pt_regs *regs, long result) \
	{ \
		return on_call(regs, result, CALL_##kind, false); \
	}
#define HOOK_32(number, name, function, kind) \
	SEC("fexit/__ia32_" #function) \
	int BPF_PROG(ia32_##name, const struct pt_regs *regs, long result) \
	{ \
		return on_call(regs, result, CALL_##kind, true); \
	}

CALLS_64(HOOK_64)
CALLS_32(HOOK_32)
