/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A system call that has ended, in either ABI, and who records it. */
#pragma once

#include "bpf/kernel_types.h"

#include "bpf/session.h"

/* Families stand together: dispatch is by range. */
enum call_kind {
	CALL_OTHER = 0,

	CALL_OPEN,
	CALL_CREAT,
	CALL_OPENAT,
	CALL_OPENAT2,
	CALL_OPEN_BY_HANDLE,
	CALL_LAST_OPEN = CALL_OPEN_BY_HANDLE,

	CALL_EXECVE,
	CALL_EXECVEAT,
	CALL_LAST_EXEC = CALL_EXECVEAT,

	CALL_UNLINK,
	CALL_FIRST_CHANGE = CALL_UNLINK,
	CALL_UNLINKAT,
	CALL_RMDIR,
	CALL_MKDIR,
	CALL_MKDIRAT,
	CALL_MKNOD,
	CALL_MKNODAT,
	CALL_RENAME,
	CALL_RENAMEAT,
	CALL_LINK,
	CALL_LINKAT,
	CALL_SYMLINK,
	CALL_SYMLINKAT,
	CALL_CHMOD,
	CALL_FCHMOD,
	CALL_FCHMODAT,
	CALL_CHOWN,
	CALL_FCHOWN,
	CALL_FCHOWNAT,
	CALL_TRUNCATE,
	CALL_FTRUNCATE,
	CALL_MOUNT,
	CALL_MOVE_MOUNT,
	CALL_UMOUNT,
	CALL_PIVOT_ROOT,
	CALL_CHROOT,
	CALL_LAST_CHANGE = CALL_CHROOT,

	CALL_SOCKET,
	CALL_BIND,
	CALL_LISTEN,
	CALL_ACCEPT,
	CALL_CONNECT,
	CALL_SENDTO,
	CALL_SENDMSG,
	CALL_LAST_SOCKET = CALL_SENDMSG,

	CALL_RECVMSG,
	CALL_RECVMMSG,
	CALL_PIDFD_GETFD,
	CALL_LAST_RECEIVE = CALL_PIDFD_GETFD,

	CALL_BPF,
	CALL_PTRACE,
	CALL_VM_WRITEV,
	CALL_SETNS,
	CALL_UNSHARE,
	CALL_LOAD_MODULE,
	CALL_DELETE_MODULE,
	CALL_KEXEC,
	CALL_PRCTL,
	CALL_MMAP,
	CALL_MPROTECT,
	CALL_LAST_TAMPER = CALL_MPROTECT,

	/* 32-bit only, with arguments in memory: stand for one of the others. */
	CALL_SOCKETCALL,
	CALL_OLD_MMAP,
};

struct call {
	__u64 arguments[6];
	__s64 result;
	__u32 kind;	/* enum call_kind */
	bool is_compat;
};

struct scratch;

/*
 * Fills scratch->call from the registers, which still hold the arguments when the call has ended. The kind of a call
 * whose arguments lie in memory is only known behind it.
 */
void read_call(struct scratch *scratch, const struct pt_regs *regs, long result, __u32 kind, bool is_compat);

/* All run in the calling task, whose session it is; the call is in the scratch. */
void record_open(struct session_state *session, struct scratch *scratch);
void record_failed_exec(struct session_state *session, struct scratch *scratch);
void record_change(struct session_state *session, struct scratch *scratch);
void record_socket_call(struct session_state *session, struct scratch *scratch);
void record_received(struct session_state *session, struct scratch *scratch);
void record_tamper(struct session_state *session, struct scratch *scratch);

/* Inlined: where the kind is a constant, the verifier walks that family alone. */
static __always_inline void record_call(struct session_state *session, struct scratch *scratch, __u32 kind)
{
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
}
