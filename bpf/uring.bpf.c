// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/session.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "bpf/opened.h"
#include "bpf/record.h"
#include "bpf/socket.h"

enum {
	PENDING_MAX = 16384,
	CLAIMED_MAX = 256,
	SLOT_NONE = 0,
	SLOT_ALLOCATED = 0xffffffff,	/* IORING_FILE_INDEX_ALLOC: the result names it */
};

/* include/uapi/linux/io_uring.h */
enum {
	IORING_OP_ACCEPT = 13,
	IORING_OP_CONNECT = 16,
	IORING_OP_OPENAT = 18,
	IORING_OP_OPENAT2 = 28,
	IORING_OP_RENAMEAT = 35,
	IORING_OP_UNLINKAT = 36,
	IORING_OP_MKDIRAT = 37,
	IORING_OP_SYMLINKAT = 38,
	IORING_OP_LINKAT = 39,
	IORING_OP_BIND = 56,
	IORING_OP_LISTEN = 57,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct filename {
	const char *name;
};
struct open_how {
	__u64 flags;
	__u64 mode;
};
struct io_open {
	int dfd;
	__u32 file_slot;
	struct filename *filename;
	struct open_how how;
};
struct io_unlink {
	int dfd;
	int flags;
	struct filename *filename;
};
struct io_mkdir {
	int dfd;
	struct filename *filename;
};
struct io_rename {
	int old_dfd;
	int new_dfd;
	struct filename *oldpath;
	struct filename *newpath;
};
struct io_link {
	int old_dfd;
	int new_dfd;
	struct filename *oldpath;
	struct filename *newpath;
};
struct io_uring_cqe {
	__s32 res;
};
/* From 6.13 on. */
struct io_rsrc_node {
	unsigned long file_ptr;
};
struct io_rsrc_data {
	struct io_rsrc_node **nodes;
};
/* Before. */
struct io_fixed_file {
	unsigned long file_ptr;
};
struct io_file_table {
	struct io_rsrc_data data;
};
struct io_file_table___6_12 {
	struct io_fixed_file *files;
};
struct io_ring_ctx {
	struct io_file_table file_table;
};
struct io_ring_ctx___6_12 {
	struct io_file_table___6_12 file_table;
};
struct io_kiocb {
	struct file *file;
	__u8 opcode;
};
#pragma clang attribute pop

/* From a request's submission to its completion. */
struct pending {
	struct owner owner;
	__u32 opcode;
	__u32 slot;	/* from 1; SLOT_NONE, SLOT_ALLOCATED */
	__u32 flags;
	__u32 mode;
	__s32 base;
	__s32 second_base;
	__u32 claimed_bytes;	/* NUL included */
	__u32 second_bytes;
	char claimed[CLAIMED_MAX];
	char second[CLAIMED_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PENDING_MAX);
	__type(key, __u64);	/* address of the struct io_kiocb */
	__type(value, struct pending);
} uring_pending SEC(".maps");

/* What a new element is made from: the stack does not hold one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pending);
} uring_blank SEC(".maps");

static __u32 copy_name(char *to, struct filename *from)
{
	long bytes = bpf_probe_read_kernel_str(to, CLAIMED_MAX, BPF_CORE_READ(from, name));

	return bytes > 0 ? bytes : 0;
}

static bool is_recorded(__u8 opcode)
{
	switch (opcode) {
	case IORING_OP_ACCEPT:
	case IORING_OP_CONNECT:
	case IORING_OP_OPENAT:
	case IORING_OP_OPENAT2:
	case IORING_OP_RENAMEAT:
	case IORING_OP_UNLINKAT:
	case IORING_OP_MKDIRAT:
	case IORING_OP_SYMLINKAT:
	case IORING_OP_LINKAT:
	case IORING_OP_BIND:
	case IORING_OP_LISTEN:
		return true;
	default:
		return false;
	}
}

static void fill_pending(struct pending *pending, void *request)
{
	struct io_open *open = request;
	struct io_unlink *unlink = request;
	struct io_mkdir *mkdir = request;
	struct io_rename *rename = request;
	struct io_link *link = request;

	switch (pending->opcode) {
	case IORING_OP_OPENAT:
	case IORING_OP_OPENAT2:
		pending->slot = BPF_CORE_READ(open, file_slot);
		pending->flags = BPF_CORE_READ(open, how.flags);
		pending->mode = BPF_CORE_READ(open, how.mode);
		pending->base = BPF_CORE_READ(open, dfd);
		pending->claimed_bytes = copy_name(pending->claimed, BPF_CORE_READ(open, filename));
		break;
	case IORING_OP_UNLINKAT:
		pending->flags = BPF_CORE_READ(unlink, flags);
		pending->base = BPF_CORE_READ(unlink, dfd);
		pending->claimed_bytes = copy_name(pending->claimed, BPF_CORE_READ(unlink, filename));
		break;
	case IORING_OP_MKDIRAT:
		pending->base = BPF_CORE_READ(mkdir, dfd);
		pending->claimed_bytes = copy_name(pending->claimed, BPF_CORE_READ(mkdir, filename));
		break;
	case IORING_OP_RENAMEAT:
		pending->base = BPF_CORE_READ(rename, old_dfd);
		pending->second_base = BPF_CORE_READ(rename, new_dfd);
		pending->claimed_bytes = copy_name(pending->claimed, BPF_CORE_READ(rename, oldpath));
		pending->second_bytes = copy_name(pending->second, BPF_CORE_READ(rename, newpath));
		break;
	case IORING_OP_SYMLINKAT:
	case IORING_OP_LINKAT:
		pending->base = BPF_CORE_READ(link, old_dfd);
		pending->second_base = BPF_CORE_READ(link, new_dfd);
		pending->claimed_bytes = copy_name(pending->claimed, BPF_CORE_READ(link, oldpath));
		pending->second_bytes = copy_name(pending->second, BPF_CORE_READ(link, newpath));
		break;
	}
}

static int remember(void *request)
{
	__u8 opcode = BPF_CORE_READ((struct io_kiocb *)request, opcode);
	__u64 key = (__u64)request;
	struct session_state *session;
	struct event_header lost = {};
	struct pending *pending;
	struct owner owner;
	__u32 first = 0;

	if (!is_recorded(opcode))
		return 0;
	session = session_of(current_task(), &owner);
	if (!session)
		return 0;
	pending = bpf_map_lookup_elem(&uring_blank, &first);
	if (pending)
		bpf_map_update_elem(&uring_pending, &key, pending, BPF_ANY);
	pending = bpf_map_lookup_elem(&uring_pending, &key);
	if (!pending) {
		start_record(session, owner.session_key, &lost, EVENT_OPEN);
		count_drop(session, CLASS_OPEN, DROP_NO_STORAGE);
		return 0;
	}
	pending->owner = owner;
	pending->opcode = opcode;
	fill_pending(pending, request);
	return 0;
}

/* 0: it is none. */
static __u32 change_of(struct pending *pending)
{
	switch (pending->opcode) {
	case IORING_OP_UNLINKAT: return pending->flags ? CHANGE_RMDIR : CHANGE_UNLINK;
	case IORING_OP_MKDIRAT: return CHANGE_MKDIR;
	case IORING_OP_RENAMEAT: return CHANGE_RENAME;
	case IORING_OP_SYMLINKAT: return CHANGE_SYMLINK;
	case IORING_OP_LINKAT: return CHANGE_LINK;
	default: return 0;
	}
}

static __u32 socket_op_of(struct pending *pending)
{
	switch (pending->opcode) {
	case IORING_OP_BIND: return SOCKET_BIND;
	case IORING_OP_LISTEN: return SOCKET_LISTEN;
	case IORING_OP_ACCEPT: return SOCKET_ACCEPT;
	default: return SOCKET_CONNECT;
	}
}

/* The file in the ring's own table. Pointers there carry flags in their lowest bits. */
static struct file *direct_file(void *ring, struct pending *pending, __s32 result)
{
	struct io_ring_ctx *now = ring;
	struct io_ring_ctx___6_12 *before = ring;
	__u32 slot = pending->slot == SLOT_ALLOCATED ? (__u32)result : pending->slot - 1;
	struct io_rsrc_node **nodes;
	struct io_rsrc_node *node = NULL;
	unsigned long file = 0;

	if (bpf_core_field_exists(now->file_table.data)) {
		nodes = BPF_CORE_READ(now, file_table.data.nodes);
		bpf_probe_read_kernel(&node, sizeof(node), &nodes[slot]);
		file = BPF_CORE_READ(node, file_ptr);
	} else {
		bpf_probe_read_kernel(&file, sizeof(file),
				      (void *)BPF_CORE_READ(before, file_table.files) + slot * sizeof(file));
	}
	return (struct file *)(file & ~7UL);
}

static void complete_open(struct session_state *session, struct scratch *scratch, struct pending *pending, void *ring,
			  __s32 result)
{
	bool is_direct = pending->slot != SLOT_NONE;
	struct opened *opened = &scratch->opened;
	struct file *file = NULL;

	opened->claimed = (__u64)pending->claimed;
	opened->flags = pending->flags;
	opened->mode = pending->mode;
	opened->notes = OPEN_BY_URING | (is_direct ? OPEN_DIRECT : 0) |
			(pending->claimed_bytes == CLAIMED_MAX ? OPEN_CLAIMED_CUT : 0);
	opened->result = result;
	if (result >= 0)
		file = is_direct ? direct_file(ring, pending, result) : file_of(result);
	record_opened(session, scratch, file);
}

static void complete_change(struct session_state *session, struct scratch *scratch, struct pending *pending,
			    __s32 result)
{
	struct change_event *event = BEGIN_RECORD(session, scratch, CLASS_OPEN, EVENT_CHANGE, change_event);
	char *tail = scratch->record + sizeof(*event);

	event->op = change_of(pending);
	event->result = result;
	if (event->op != CHANGE_SYMLINK && pending->claimed[0] != '/')
		append_directory(scratch, tail, pending->base, &event->first);
	if (pending->second_bytes && pending->second[0] != '/')
		append_directory(scratch, tail, pending->second_base, &event->second);
	event->claimed_first_bytes = append_kernel_string(tail, &scratch->tail_bytes, pending->claimed);
	if (pending->second_bytes)
		event->claimed_second_bytes = append_kernel_string(tail, &scratch->tail_bytes, pending->second);
	finish_record(session, scratch, sizeof(*event));
}

static void complete_socket(struct session_state *session, struct scratch *scratch, struct pending *pending,
			    struct file *file, __s32 result)
{
	struct socket_action *action = &scratch->action;
	struct sock *sk = sock_of(file);

	__builtin_memset(action, 0, sizeof(*action));
	action->op = socket_op_of(pending);
	action->notes = SOCKET_BY_URING;
	action->result = result;
	if (sk && (action->op != SOCKET_CONNECT || is_connect_worth_a_record(sk, result)))
		record_socket(session, scratch, sk);
}

static void record_completion(struct session_state *session, struct pending *pending, void *ring,
			      struct io_kiocb *request, __s32 result)
{
	struct scratch *scratch = take_scratch(session, &pending->owner, CLASS_OPEN, EVENT_OPEN);

	if (!scratch)
		return;
	if (pending->opcode == IORING_OP_OPENAT || pending->opcode == IORING_OP_OPENAT2)
		complete_open(session, scratch, pending, ring, result);
	else if (change_of(pending))
		complete_change(session, scratch, pending, result);
	else if (pending->opcode != IORING_OP_ACCEPT)
		complete_socket(session, scratch, pending, BPF_CORE_READ(request, file), result);
	else if (result >= 0)
		complete_socket(session, scratch, pending, file_of(result), result);
	give_back(scratch);
}

static int complete(void *ring, void *request, __s32 result)
{
	__u64 key = (__u64)request;
	struct pending *pending = bpf_map_lookup_elem(&uring_pending, &key);
	struct session_state *session;

	if (!pending)
		return 0;
	session = find_session(pending->owner.session_key);
	if (session)
		record_completion(session, pending, ring, request, result);
	bpf_map_delete_elem(&uring_pending, &key);
	return 0;
}

/*
 * A request goes from the ring to where it is carried out. Hook: tracepoint io_uring_submit_req (6.3 on), before that
 * io_uring_submit_sqe. In the submitter, or in the thread of IORING_SETUP_SQPOLL, which has the submitter's tag.
 */
TRACEPOINT(io_uring_submit_req)
int BPF_PROG(on_uring_submit_req, void *request)
{
	return remember(request);
}

TRACEPOINT(io_uring_submit_sqe)
int BPF_PROG(on_uring_submit_sqe, void *request)
{
	return remember(request);
}

/*
 * A request has its result. Hook: tracepoint io_uring_complete, which has had two signatures; in the submitter or a
 * worker thread of its process, whose descriptors are the submitter's.
 */
TRACEPOINT(io_uring_complete)
int BPF_PROG(on_uring_complete, void *ring, void *request, struct io_uring_cqe *cqe)
{
	return request ? complete(ring, request, BPF_CORE_READ(cqe, res)) : 0;
}

TRACEPOINT(io_uring_complete)
int BPF_PROG(on_uring_complete_6, void *ring, void *request, __u64 user_data, int result)
{
	return request ? complete(ring, request, result) : 0;
}
