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

/* How far the descriptors of a received message, or of several, have been recorded. Addresses in the caller's memory. */
struct receiving {
	__u64 message;		/* the next one's struct msghdr */
	__u64 control;		/* the next struct cmsghdr */
	__u64 control_bytes;	/* from there on */
	__u64 descriptors;
	__u32 descriptor_count;
	__u32 messages;		/* still to come */
};

struct scratch;

/* Of scratch->opened. */
void record_opened(struct session_state *session, struct scratch *scratch, struct file *file);
