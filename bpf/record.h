/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where a record is assembled: no stack holds one, and a reservation in a ring has a length that must be known before.
 * A record is a struct of bpf/events.h and, right behind it, its tail.
 */
#pragma once

#include "bpf/session.h"

#include "bpf/opened.h"
#include "bpf/path_walk.h"
#include "bpf/socket.h"
#include "bpf/call.h"

enum {
	RECORD_FIXED_MAX = 256,
	PAGE_BYTES = 4096,
	ARGV_OFFSET_MAX = TAIL_BYTES,	/* argv comes behind all paths and strings */
	EXEC_TAIL_BYTES = ARGV_OFFSET_MAX + EVENT_ARGV_MAX,
};

/*
 * What a hook works with. All of it is in a map, and what functions hand each other by pointer too: before 6.8 the
 * verifier loses track of a constant that is written to the stack and read through a pointer to it, takes branches for
 * dead that are not, and removes them (6.1 recorded each connect as a bind).
 */
struct scratch {
	__u64 is_taken;
	struct owner owner;
	struct call call;
	struct opened opened;
	struct socket_action action;
	struct receiving receiving;
	struct walk walk;
	__u32 tail_bytes;
	__u32 class;		/* enum event_class, of the record in hand */
	char record[RECORD_FIXED_MAX + EXEC_TAIL_BYTES + PAGE_BYTES];	/* the last piece may begin just below the end */
};

/* A scratch of this CPU, or NULL: a number is spent then, and counted as dropped. Goes to give_back(). */
struct scratch *take_scratch(struct session_state *session, const struct owner *owner, __u32 class, __u32 kind);
void give_back(struct scratch *scratch);

/* Sends the record, whose struct has `fixed_bytes`. The scratch is ready for another one. */
void finish_record(struct session_state *session, struct scratch *scratch, __u32 fixed_bytes);

/* Walks to where the task works: what a relative path of its starts from. */
void append_cwd(struct scratch *scratch, char *tail, struct event_path *cwd);

/* The file's path, device, inode. A NULL file leaves *path as it is. */
void append_file(struct scratch *scratch, char *tail, struct file *file, struct event_path *path);

/* The current task's file behind a descriptor, or NULL. Another thread may have put another one there since. */
struct file *file_of(__u32 descriptor);

/* The folder behind a descriptor, or AT_FDCWD, with PATH_BASE. */
void append_directory(struct scratch *scratch, char *tail, __s32 directory, struct event_path *base);

/* Where a path that the caller passed starts, for `directory` as in openat(2): with PATH_BASE; nothing for an absolute one. */
void append_base(struct scratch *scratch, char *tail, __s32 directory, const void *claimed, struct event_path *base);

/* Begins a record of type struct `type` in the scratch: zeroed, numbered, its process filled. Returns it. */
#define BEGIN_RECORD(session, scratch, event_class, kind, type)                                         \
	({                                                                                              \
		struct type *record_ = (void *)(scratch)->record;                                       \
		_Static_assert(sizeof(struct type) <= RECORD_FIXED_MAX, "make RECORD_FIXED_MAX larger"); \
		(scratch)->tail_bytes = 0;                                                              \
		(scratch)->class = event_class;                                                         \
		__builtin_memset(record_, 0, sizeof(*record_));                                         \
		start_record(session, (scratch)->owner.session_key, &record_->header, kind);            \
		fill_process(&record_->process, current_task(), (scratch)->owner.tag_flags); \
		record_;                                                                                \
	})
