// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/sys_exit.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "bpf/record.h"

enum {
	TS_COMPAT = 0x0002,	/* arch/x86/include/asm/thread_info.h: the call came in by the 32-bit ABI */
	X32_SYSCALL_BIT = 0x40000000,
	CALLS = 1024,		/* of a table: a power of two beyond the last number */
};

/* arch/x86/entry/syscalls/syscall_64.tbl; from 512 on they are x32's own. */
static const volatile __u8 calls_64[CALLS] = {
	[2] = CALL_OPEN, [85] = CALL_CREAT, [257] = CALL_OPENAT, [437] = CALL_OPENAT2, [304] = CALL_OPEN_BY_HANDLE,

	[59] = CALL_EXECVE, [322] = CALL_EXECVEAT, [520] = CALL_EXECVE, [545] = CALL_EXECVEAT,

	[87] = CALL_UNLINK, [263] = CALL_UNLINKAT, [84] = CALL_RMDIR, [83] = CALL_MKDIR, [258] = CALL_MKDIRAT,
	[133] = CALL_MKNOD, [259] = CALL_MKNODAT, [82] = CALL_RENAME, [264] = CALL_RENAMEAT, [316] = CALL_RENAMEAT,
	[86] = CALL_LINK, [265] = CALL_LINKAT, [88] = CALL_SYMLINK, [266] = CALL_SYMLINKAT,
	[90] = CALL_CHMOD, [91] = CALL_FCHMOD, [268] = CALL_FCHMODAT, [452] = CALL_FCHMODAT,
	[92] = CALL_CHOWN, [93] = CALL_FCHOWN, [94] = CALL_CHOWN, [260] = CALL_FCHOWNAT,
	[76] = CALL_TRUNCATE, [77] = CALL_FTRUNCATE,
	[165] = CALL_MOUNT, [429] = CALL_MOVE_MOUNT, [166] = CALL_UMOUNT, [155] = CALL_PIVOT_ROOT, [161] = CALL_CHROOT,

	[41] = CALL_SOCKET, [49] = CALL_BIND, [50] = CALL_LISTEN, [43] = CALL_ACCEPT, [288] = CALL_ACCEPT,
	[42] = CALL_CONNECT, [44] = CALL_SENDTO, [46] = CALL_SENDMSG, [307] = CALL_SENDMSG, [518] = CALL_SENDMSG,
	[538] = CALL_SENDMSG, [47] = CALL_RECVMSG, [519] = CALL_RECVMSG, [438] = CALL_PIDFD_GETFD,

	[321] = CALL_BPF, [101] = CALL_PTRACE, [521] = CALL_PTRACE, [311] = CALL_VM_WRITEV, [540] = CALL_VM_WRITEV,
	[308] = CALL_SETNS, [272] = CALL_UNSHARE, [175] = CALL_LOAD_MODULE, [313] = CALL_LOAD_MODULE,
	[176] = CALL_DELETE_MODULE, [246] = CALL_KEXEC, [320] = CALL_KEXEC, [528] = CALL_KEXEC, [157] = CALL_PRCTL,
	[9] = CALL_MMAP, [10] = CALL_MPROTECT, [329] = CALL_MPROTECT,
};

/* arch/x86/entry/syscalls/syscall_32.tbl */
static const volatile __u8 calls_32[CALLS] = {
	[5] = CALL_OPEN, [8] = CALL_CREAT, [295] = CALL_OPENAT, [437] = CALL_OPENAT2, [342] = CALL_OPEN_BY_HANDLE,

	[11] = CALL_EXECVE, [358] = CALL_EXECVEAT,

	[10] = CALL_UNLINK, [301] = CALL_UNLINKAT, [40] = CALL_RMDIR, [39] = CALL_MKDIR, [296] = CALL_MKDIRAT,
	[14] = CALL_MKNOD, [297] = CALL_MKNODAT, [38] = CALL_RENAME, [302] = CALL_RENAMEAT, [353] = CALL_RENAMEAT,
	[9] = CALL_LINK, [303] = CALL_LINKAT, [83] = CALL_SYMLINK, [304] = CALL_SYMLINKAT,
	[15] = CALL_CHMOD, [94] = CALL_FCHMOD, [306] = CALL_FCHMODAT, [452] = CALL_FCHMODAT,
	[16] = CALL_CHOWN, [182] = CALL_CHOWN, [198] = CALL_CHOWN, [212] = CALL_CHOWN, [95] = CALL_FCHOWN,
	[207] = CALL_FCHOWN, [298] = CALL_FCHOWNAT,
	[92] = CALL_TRUNCATE, [193] = CALL_TRUNCATE, [93] = CALL_FTRUNCATE, [194] = CALL_FTRUNCATE,
	[21] = CALL_MOUNT, [429] = CALL_MOVE_MOUNT, [22] = CALL_UMOUNT, [52] = CALL_UMOUNT, [217] = CALL_PIVOT_ROOT,
	[61] = CALL_CHROOT,

	[102] = CALL_SOCKETCALL, [359] = CALL_SOCKET, [361] = CALL_BIND, [363] = CALL_LISTEN, [364] = CALL_ACCEPT,
	[362] = CALL_CONNECT, [369] = CALL_SENDTO, [370] = CALL_SENDMSG, [345] = CALL_SENDMSG, [372] = CALL_RECVMSG,
	[438] = CALL_PIDFD_GETFD,

	[357] = CALL_BPF, [26] = CALL_PTRACE, [348] = CALL_VM_WRITEV, [346] = CALL_SETNS, [310] = CALL_UNSHARE,
	[128] = CALL_LOAD_MODULE, [350] = CALL_LOAD_MODULE, [129] = CALL_DELETE_MODULE, [283] = CALL_KEXEC,
	[172] = CALL_PRCTL, [192] = CALL_MMAP, [125] = CALL_MPROTECT, [380] = CALL_MPROTECT,
};

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

static void unwrap_socketcall(struct call *call)
{
	__u32 arguments[6] = {};
	void *from = (void *)call->arguments[1];
	int i;

	call->kind = socket_call_of(call->arguments[0]);
	if (bpf_probe_read_user(arguments, sizeof(arguments), from))
		bpf_probe_read_user(arguments, sizeof(arguments) / 2, from);	/* fewer, at the end of a page */
	for (i = 0; i < 6; i++)
		call->arguments[i] = arguments[i];
}

static void read_call(struct call *call, struct pt_regs *regs, long result, bool is_compat, __u64 number)
{
	if (number >= CALLS)	/* for the verifier, which forgets bounds over a spill */
		number = 0;
	call->is_compat = is_compat;
	if (is_compat) {
		call->kind = calls_32[number];
		call->arguments[0] = (__u32)regs->bx;
		call->arguments[1] = (__u32)regs->cx;
		call->arguments[2] = (__u32)regs->dx;
		call->arguments[3] = (__u32)regs->si;
		call->arguments[4] = (__u32)regs->di;
		call->arguments[5] = (__u32)regs->bp;
		call->result = (int)result;
		if (call->kind == CALL_SOCKETCALL)
			unwrap_socketcall(call);
	} else {
		call->kind = calls_64[number];
		call->arguments[0] = regs->di;
		call->arguments[1] = regs->si;
		call->arguments[2] = regs->dx;
		call->arguments[3] = regs->r10;
		call->arguments[4] = regs->r8;
		call->arguments[5] = regs->r9;
		call->result = result;
	}
}

/*
 * A system call has ended. Hook: tracepoint sys_exit, for every call of every process of the host: hence the number
 * first (it is in a register), then the tag. The registers still hold the arguments. Not seen: io_uring.
 */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
	__u64 number = regs->orig_ax & ~X32_SYSCALL_BIT;
	struct session_state *session;
	struct task_struct *task;
	struct scratch *scratch;
	struct owner owner;
	bool is_compat;
	__u32 kind;

	barrier_var(number);	/* one register from here on, with the bound */
	if (number >= CALLS || (calls_64[number] | calls_32[number]) == CALL_OTHER)
		return 0;
	task = bpf_get_current_task_btf();
	session = session_of(task, &owner);
	if (!session)
		return 0;
	is_compat = task->thread_info.status & TS_COMPAT;
	if ((is_compat ? calls_32[number] : calls_64[number]) == CALL_OTHER)
		return 0;

	scratch = take_scratch(session, &owner, CLASS_OPEN, EVENT_OPEN);
	if (!scratch)
		return 0;
	read_call(&scratch->call, regs, result, is_compat, number);
	kind = scratch->call.kind;
	if (kind == CALL_OTHER)
		;	/* of socketcall(2), one that is not recorded */
	else if (kind <= CALL_LAST_OPEN)
		record_open(session, scratch);
	else if (kind <= CALL_LAST_EXEC)
		record_failed_exec(session, scratch);
	else if (kind <= CALL_LAST_CHANGE)
		record_change(session, scratch);
	else if (kind <= CALL_LAST_SOCKET)
		record_socket_call(session, scratch);
	else if (kind <= CALL_LAST_RECEIVE)
		record_received(session, scratch);
	else if (kind <= CALL_LAST_TAMPER)
		record_tamper(session, scratch);
	give_back(scratch);
	if (session->is_lossless)
		hold_back(session, owner.session_key);
	return 0;
}
