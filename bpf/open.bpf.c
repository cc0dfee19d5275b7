// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/call.h"

#include <bpf/bpf_core_read.h>

#include "bpf/fold.h"
#include "bpf/opened.h"
#include "bpf/record.h"

enum {
	O_WRONLY = 01,
	O_CREAT = 0100,
	O_TRUNC = 01000,
	O_TMPFILE_BIT = 020000000,	/* __O_TMPFILE */
	FMODE_READ = 0x1,		/* include/linux/fs.h */
	FMODE_WRITE = 0x2,
	FMODE_PATH = 0x4000,
	FMODE_CREATED = 0x100000,
	FROM_CWD = -100,		/* AT_FDCWD */
};

/* include/uapi/linux/openat2.h; not every libc's headers have it. */
struct open_how {
	__u64 flags;
	__u64 mode;
	__u64 resolve;
};

static void fill_arguments(struct open_event *event, const struct call *call)
{
	struct open_how how = {};

	switch (call->kind) {
	case CALL_OPEN:
		event->flags = call->arguments[1];
		event->mode = call->arguments[2];
		break;
	case CALL_CREAT:
		event->flags = O_CREAT | O_WRONLY | O_TRUNC;	/* what creat(2) stands for */
		event->mode = call->arguments[1];
		break;
	case CALL_OPENAT2:
		if (bpf_probe_read_user(&how, sizeof(how), (void *)call->arguments[2]))
			event->notes |= OPEN_CLAIMED_UNREADABLE;
		event->flags = how.flags;
		event->mode = how.mode;
		break;
	case CALL_OPENAT:
		event->flags = call->arguments[2];
		event->mode = call->arguments[3];
		break;
	default:
		event->flags = call->arguments[2];	/* open_by_handle_at(2) makes no file */
		break;
	}
	/* Without these the fourth register holds what was left in it. */
	if (call->kind != CALL_OPENAT2 && !(event->flags & (O_CREAT | O_TMPFILE_BIT)))
		event->mode = 0;
	if (call->is_compat)
		event->notes |= OPEN_COMPAT;
}

/* Opened for reading alone, and not made by it. */
static bool is_plain_reading(struct file *file)
{
	return (BPF_CORE_READ(file, f_mode) & (FMODE_READ | FMODE_WRITE | FMODE_CREATED | FMODE_PATH)) == FMODE_READ;
}

/*
 * The file is the one behind the descriptor that the call has just returned. Another thread may have put another file
 * there since (dup2 between fd_install and here: 1 in 20 000 under attack); then claimed and resolved path differ.
 */
__hidden void record_open(struct session_state *session, struct scratch *scratch)
{
	const struct call *call = &scratch->call;
	struct file *file = call->result >= 0 ? file_of(call->result) : NULL;
	bool has_directory = call->kind == CALL_OPENAT || call->kind == CALL_OPENAT2;
	void *claimed = (void *)call->arguments[has_directory ? 1 : 0];
	struct open_event *event;
	char *tail;

	if (file && is_plain_reading(file) && fold(session, scratch->owner.session_key, file, FOLD_OPEN))
		return;
	event = BEGIN_RECORD(session, scratch, CLASS_OPEN, EVENT_OPEN, open_event);
	tail = scratch->record + sizeof(*event);
	event->result = call->result;
	fill_arguments(event, call);
	if (file) {
		append_file(scratch, tail, file, &event->file);
		if (BPF_CORE_READ(file, f_mode) & FMODE_CREATED)
			event->notes |= OPEN_CREATED;
	} else if (call->kind != CALL_OPEN_BY_HANDLE) {
		append_base(scratch, tail, has_directory ? (__s32)call->arguments[0] : FROM_CWD, claimed, &event->file);
	}

	if (call->kind == CALL_OPEN_BY_HANDLE) {
		event->notes |= OPEN_BY_HANDLE;
	} else {
		event->claimed_bytes = append_user_string(tail, &scratch->tail_bytes, claimed);
		if (!event->claimed_bytes)
			event->notes |= OPEN_CLAIMED_UNREADABLE;
	}
	finish_record(session, scratch, sizeof(*event));
}

__hidden void record_opened(struct session_state *session, struct scratch *scratch, struct file *file)
{
	const struct opened *opened = &scratch->opened;
	struct open_event *event = BEGIN_RECORD(session, scratch, CLASS_OPEN, EVENT_OPEN, open_event);
	char *tail = scratch->record + sizeof(*event);

	event->result = opened->result;
	event->flags = opened->flags;
	event->mode = opened->mode;
	event->notes = opened->notes;
	if (file) {
		append_file(scratch, tail, file, &event->file);
		if (BPF_CORE_READ(file, f_mode) & FMODE_CREATED && !(opened->notes & OPEN_RECEIVED))
			event->notes |= OPEN_CREATED;
	}
	if (opened->claimed)
		event->claimed_bytes = append_kernel_string(tail, &scratch->tail_bytes, (void *)opened->claimed);
	finish_record(session, scratch, sizeof(*event));
}
