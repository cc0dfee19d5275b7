// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/call.h"

#include <bpf/bpf_core_read.h>

#include "bpf/record.h"

enum {
	AT_REMOVEDIR = 0x200,
};

/* Where a call has what, as the number of its argument from 1; 0: it has none. */
struct shape {
	__u8 op;	/* enum change_op */
	__u8 descriptor;	/* of the object itself */
	__u8 base;	/* descriptor of the folder that a relative path starts from; 0: the working directory */
	__u8 path;
	__u8 second_base;
	__u8 second_path;
	__u8 mode;
	__u8 uid;	/* the group follows it */
	__u8 length;
};

static const volatile struct shape shapes[] = {
#define SHAPE(call) [CALL_##call - CALL_FIRST_CHANGE]
	SHAPE(UNLINK) = {.op = CHANGE_UNLINK, .path = 1},
	SHAPE(UNLINKAT) = {.op = CHANGE_UNLINK, .base = 1, .path = 2, .mode = 3},
	SHAPE(RMDIR) = {.op = CHANGE_RMDIR, .path = 1},
	SHAPE(MKDIR) = {.op = CHANGE_MKDIR, .path = 1, .mode = 2},
	SHAPE(MKDIRAT) = {.op = CHANGE_MKDIR, .base = 1, .path = 2, .mode = 3},
	SHAPE(MKNOD) = {.op = CHANGE_MKNOD, .path = 1, .mode = 2},
	SHAPE(MKNODAT) = {.op = CHANGE_MKNOD, .base = 1, .path = 2, .mode = 3},
	SHAPE(RENAME) = {.op = CHANGE_RENAME, .path = 1, .second_path = 2},
	SHAPE(RENAMEAT) = {.op = CHANGE_RENAME, .base = 1, .path = 2, .second_base = 3, .second_path = 4},
	SHAPE(LINK) = {.op = CHANGE_LINK, .path = 1, .second_path = 2},
	SHAPE(LINKAT) = {.op = CHANGE_LINK, .base = 1, .path = 2, .second_base = 3, .second_path = 4},
	SHAPE(SYMLINK) = {.op = CHANGE_SYMLINK, .path = 1, .second_path = 2},
	SHAPE(SYMLINKAT) = {.op = CHANGE_SYMLINK, .path = 1, .second_base = 2, .second_path = 3},
	SHAPE(CHMOD) = {.op = CHANGE_CHMOD, .path = 1, .mode = 2},
	SHAPE(FCHMOD) = {.op = CHANGE_CHMOD, .descriptor = 1, .mode = 2},
	SHAPE(FCHMODAT) = {.op = CHANGE_CHMOD, .base = 1, .path = 2, .mode = 3},
	SHAPE(CHOWN) = {.op = CHANGE_CHOWN, .path = 1, .uid = 2},
	SHAPE(FCHOWN) = {.op = CHANGE_CHOWN, .descriptor = 1, .uid = 2},
	SHAPE(FCHOWNAT) = {.op = CHANGE_CHOWN, .base = 1, .path = 2, .uid = 3},
	SHAPE(TRUNCATE) = {.op = CHANGE_TRUNCATE, .path = 1, .length = 2},
	SHAPE(FTRUNCATE) = {.op = CHANGE_TRUNCATE, .descriptor = 1, .length = 2},
	SHAPE(MOUNT) = {.op = CHANGE_MOUNT, .path = 1, .second_path = 2, .mode = 4},
	SHAPE(MOVE_MOUNT) = {.op = CHANGE_MOUNT, .base = 1, .path = 2, .second_base = 3, .second_path = 4, .mode = 5},
	SHAPE(UMOUNT) = {.op = CHANGE_UMOUNT, .path = 1, .mode = 2},
	SHAPE(PIVOT_ROOT) = {.op = CHANGE_PIVOT_ROOT, .path = 1, .second_path = 2},
	SHAPE(CHROOT) = {.op = CHANGE_CHROOT, .path = 1},
#undef SHAPE
};

enum {
	SHAPES = sizeof(shapes) / sizeof(shapes[0]),
	FROM_CWD = -100,	/* AT_FDCWD */
};

/* `number` from 1 on. */
static __u64 argument(struct scratch *scratch, __u32 number)
{
	__u32 index = number - 1;

	barrier_var(index);
	return index < 6 ? scratch->call.arguments[index] : 0;
}

static __s32 base_of(struct scratch *scratch, __u32 number)
{
	return number ? (__s32)argument(scratch, number) : FROM_CWD;
}

static void fill_numbers(struct scratch *scratch, const volatile struct shape *shape, struct change_event *event)
{
	event->op = shape->op;
	event->mode = argument(scratch, shape->mode);
	if (event->op == CHANGE_UNLINK && (event->mode & AT_REMOVEDIR))
		event->op = CHANGE_RMDIR;
	if (event->op == CHANGE_UNLINK || event->op == CHANGE_RMDIR)
		event->mode = 0;
	if (shape->uid) {
		event->uid = argument(scratch, shape->uid);
		event->gid = argument(scratch, shape->uid + 1);
	}
	event->length = argument(scratch, shape->length);
}

/*
 * A call that changes the tree of files has ended. After it a name may be gone: what is recorded is the caller's string
 * and, as the kernel knows it, where that starts; of a descriptor, the object itself.
 */
__hidden void record_change(struct session_state *session, struct scratch *scratch)
{
	const volatile struct shape *shape;
	struct change_event *event;
	__u32 index = scratch->call.kind - CALL_FIRST_CHANGE;
	void *first;
	void *second;
	char *tail;

	barrier_var(index);
	if (index >= SHAPES)
		return;
	shape = &shapes[index];
	event = BEGIN_RECORD(session, scratch, CLASS_OPEN, EVENT_CHANGE, change_event);
	tail = scratch->record + sizeof(*event);
	event->result = scratch->call.result;
	fill_numbers(scratch, shape, event);

	first = (void *)argument(scratch, shape->path);
	second = (void *)argument(scratch, shape->second_path);
	if (shape->descriptor)
		append_file(scratch, tail, file_of(argument(scratch, shape->descriptor)), &event->first);
	else if (event->op != CHANGE_SYMLINK)	/* whose first path is a text */
		append_base(scratch, tail, base_of(scratch, shape->base), first, &event->first);
	if (second)
		append_base(scratch, tail, base_of(scratch, shape->second_base), second, &event->second);
	if (first)
		event->claimed_first_bytes = append_user_string(tail, &scratch->tail_bytes, first);
	if (second)
		event->claimed_second_bytes = append_user_string(tail, &scratch->tail_bytes, second);
	finish_record(session, scratch, sizeof(*event));
}
