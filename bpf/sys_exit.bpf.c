// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/call.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "bpf/calls.h"
#include "bpf/record.h"

enum {
	TS_COMPAT = 0x0002,	/* arch/x86/include/asm/thread_info.h: the call came in by the 32-bit ABI */
	X32_SYSCALL_BIT = 0x40000000,
	CALLS = 1024,		/* of a table: a power of two beyond the last number */
};

#define NUMBER(number, name, function, kind) [number] = CALL_##kind,
static const volatile __u8 calls_64[CALLS] = {CALLS_64(NUMBER)};
static const volatile __u8 calls_32[CALLS] = {CALLS_32(NUMBER)};
#undef NUMBER

/*
 * A system call has ended. Hook: tracepoint sys_exit, for every call of every process of the host: hence the number
 * first (it is in a register), then the tag. The registers still hold the arguments. Not seen: io_uring.
 */
TRACEPOINT(sys_exit)
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
	__u64 number = READ(regs, orig_ax) & ~X32_SYSCALL_BIT;
	struct session_state *session;
	struct task_struct *task;
	struct scratch *scratch;
	struct owner owner;
	bool is_compat;
	__u32 kind;

	barrier_var(number);	/* one register from here on, with the bound */
	if (number >= CALLS || (calls_64[number] | calls_32[number]) == CALL_OTHER)
		return 0;
	task = current_task();
	session = session_of(task, &owner);
	if (!session)
		return 0;
	is_compat = READ(task, thread_info.status) & TS_COMPAT;
	if ((is_compat ? calls_32[number] : calls_64[number]) == CALL_OTHER)
		return 0;

	scratch = take_scratch(session, &owner, CLASS_OPEN, EVENT_OPEN);
	if (!scratch)
		return 0;
	if (number >= CALLS)	/* for the verifier, which forgets bounds over a spill */
		number = 0;
	read_call(scratch, regs, result, is_compat ? calls_32[number] : calls_64[number], is_compat);
	kind = scratch->call.kind;
	record_call(session, scratch, kind);
	give_back(scratch);
	if (session->is_lossless)
		hold_back(session, owner.session_key);
	return 0;
}
