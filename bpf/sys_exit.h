/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include "bpf/kernel_types.h"

#include "bpf/session.h"

enum call_kind {
	CALL_OTHER = 0,
	CALL_OPEN,
	CALL_CREAT,
	CALL_OPENAT,
	CALL_OPENAT2,
	CALL_OPEN_BY_HANDLE,
	CALL_EXECVE,
	CALL_EXECVEAT,
};

/* A system call that has ended, in either ABI. */
struct call {
	__u64 arguments[4];
	__u64 session_key;
	__s64 result;
	__u32 kind;	/* enum call_kind */
};

/* Both run in the calling task; `session` is its session. */
void record_open(struct session_state *session, const struct call *call);
void record_failed_exec(struct session_state *session, const struct call *call);
