// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/sys_exit.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

enum {
	TS_COMPAT = 0x0002,	/* arch/x86/include/asm/thread_info.h: the call came in by the 32-bit ABI */
	X32_SYSCALL_BIT = 0x40000000,
};

/* arch/x86/entry/syscalls/syscall_64.tbl; 520 and 545 are x32's own. */
static __u32 kind_of_64(int number)
{
	switch (number & ~X32_SYSCALL_BIT) {
	case 2: return CALL_OPEN;
	case 59: return CALL_EXECVE;
	case 85: return CALL_CREAT;
	case 257: return CALL_OPENAT;
	case 304: return CALL_OPEN_BY_HANDLE;
	case 322: return CALL_EXECVEAT;
	case 437: return CALL_OPENAT2;
	case 520: return CALL_EXECVE;
	case 545: return CALL_EXECVEAT;
	default: return CALL_OTHER;
	}
}

/* arch/x86/entry/syscalls/syscall_32.tbl */
static __u32 kind_of_32(int number)
{
	switch (number) {
	case 5: return CALL_OPEN;
	case 8: return CALL_CREAT;
	case 11: return CALL_EXECVE;
	case 295: return CALL_OPENAT;
	case 342: return CALL_OPEN_BY_HANDLE;
	case 358: return CALL_EXECVEAT;
	case 437: return CALL_OPENAT2;
	default: return CALL_OTHER;
	}
}

/*
 * A system call has ended. Hook: tracepoint sys_exit, for every call of every process of the host: hence the number
 * first (it is in a register), then the tag. The registers still hold the arguments. Not seen: io_uring.
 */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
	int number = regs->orig_ax;
	struct task_struct *task;
	struct session_state *session;
	struct call call;

	if (kind_of_64(number) == CALL_OTHER && kind_of_32(number) == CALL_OTHER)
		return 0;
	task = bpf_get_current_task_btf();
	session = session_of(task, &call.session_key);
	if (!session)
		return 0;

	if (task->thread_info.status & TS_COMPAT) {
		call.kind = kind_of_32(number);
		call.arguments[0] = (__u32)regs->bx;
		call.arguments[1] = (__u32)regs->cx;
		call.arguments[2] = (__u32)regs->dx;
		call.arguments[3] = (__u32)regs->si;
		call.result = (int)result;
	} else {
		call.kind = kind_of_64(number);
		call.arguments[0] = regs->di;
		call.arguments[1] = regs->si;
		call.arguments[2] = regs->dx;
		call.arguments[3] = regs->r10;
		call.result = result;
	}

	if (call.kind == CALL_EXECVE || call.kind == CALL_EXECVEAT) {
		if (call.result < 0)
			record_failed_exec(session, &call);
	} else if (call.kind != CALL_OTHER) {
		record_open(session, &call);
	}
	return 0;
}
