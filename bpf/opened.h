/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include "bpf/session.h"

/* A file that became the task's without open(2): by io_uring, or from another process. */
struct opened {
	__u64 claimed;	/* address in kernel memory, or 0: the verifier lets no pointer lie in a map */
	__u32 flags;		/* O_* */
	__u32 mode;
	__u32 notes;		/* enum open_notes */
	__s32 result;
};

struct scratch;

/* Of scratch->opened. */
void record_opened(struct session_state *session, struct scratch *scratch, struct file *file);
