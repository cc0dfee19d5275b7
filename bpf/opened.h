/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include "bpf/session.h"

/* A file that became the task's without open(2): by io_uring, or from another process. */
struct opened {
	const char *claimed;	/* in kernel memory, or NULL */
	__u32 flags;		/* O_* */
	__u32 mode;
	__u32 notes;		/* enum open_notes */
	__s32 result;
};

void record_opened(struct session_state *session, const struct owner *owner, struct file *file,
		   const struct opened *opened);
