/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What both sides share: the records in a session's rings, its counters, and the tag of a task. Host byte order.
 * Fixed widths, no holes, largest first: sizes are asserted below for C and C++ alike. A record is its struct followed
 * by a tail of variable length, whose parts stand in the order of the fields that give their lengths.
 */
#pragma once

#include <linux/types.h>

#ifdef __cplusplus
namespace cairn::bpf {
#define CAIRN_LAYOUT_ASSERT static_assert
#else
#define CAIRN_LAYOUT_ASSERT _Static_assert
#endif

enum event_kind {
	EVENT_EXEC = 1,
	EVENT_OPEN = 2,
	EVENT_CONNECT = 3,
	EVENT_EXIT = 4,
};

/* One ring each. */
enum event_class {
	CLASS_EXEC = 0,	/* exec, connect, exit */
	CLASS_OPEN = 1,
	CLASS_COUNT = 2,
};

/* Why a sequence number was spent without a record. */
enum drop_reason {
	DROP_RING_FULL = 0,	/* also: the ring's lock was not to be had */
	DROP_NO_RING = 1,	/* the session is being unregistered */
	DROP_NO_SCRATCH = 2,	/* every buffer to assemble a record in was taken */
	DROP_NO_STORAGE = 3,	/* the socket could not be tied to the session: its result will be missing */
	DROP_COUNT = 4,
};

enum {
	EVENT_COMM_BYTES = 16,
	EVENT_ADDRESS_BYTES = 16,
	EVENT_PATH_MAX = 4096,		/* components of a walked path, or a claimed path; NULs included */
	EVENT_NAME_MAX = 256,		/* one component, NUL included */
	EVENT_ARGV_MAX = 64 * 1024,
};

struct event_header {
	__u64 boot_ns;		/* CLOCK_BOOTTIME */
	__u64 session_key;
	__u64 sequence;		/* of the session, from 1, shared by both rings */
	__u32 kind;		/* enum event_kind */
	__u32 bytes;		/* of the whole record, tail included */
};

struct event_process {
	__u64 start_boot_ns;	/* of the thread group's leader */
	__u32 pid;		/* tgid, in the initial pid namespace */
	__u32 tid;
	__u32 parent_pid;	/* tgid of real_parent */
	__u32 uid;		/* real, as are the kernel's current_uid() and the audit log's uid= */
	__u32 gid;
	__u32 login_uid;	/* 0xffffffff: unset, or a kernel without audit */
	__u32 audit_session;	/* likewise */
	__u32 reserved;		/* 0 */
	char comm[EVENT_COMM_BYTES];	/* NUL-terminated */
};

enum path_flags {
	PATH_COMPLETE = 1,	/* the walk reached the root of the mount namespace */
	PATH_DETACHED = 2,	/* no name in any tree (memfd, pipe): the one component is its name, or the file system's */
	PATH_UNNAMED = 4,	/* with PATH_DETACHED: the component is the file system's name */
};

/* In the tail: components from the last to the first, each NUL-terminated, without slashes. None: "/". */
struct event_path {
	__u64 inode;
	__u32 device;		/* the kernel's dev_t: major << 20 | minor */
	__u32 bytes;		/* in the tail */
	__u32 flags;		/* enum path_flags */
	__u32 reserved;		/* 0 */
};

enum exec_flags {
	EXEC_FILENAME_UNREADABLE = 1,
	EXEC_ARGV_UNREADABLE = 2,	/* argv_bytes is what could be read before */
};

/* Tail: executable, cwd, filename, argv. After a failure only process, cwd and filename are there. */
struct exec_event {
	struct event_header header;
	struct event_process process;
	struct event_path executable;
	struct event_path cwd;
	__u64 argv_total_bytes;	/* in the kernel; more than argv_bytes: truncated */
	__u32 filename_bytes;	/* NUL included; 0: none */
	__u32 argv_bytes;	/* NUL-terminated strings; the last may be cut */
	__s32 result;		/* 0, or the negative errno */
	__u32 flags;		/* enum exec_flags */
};

enum open_notes {
	OPEN_CLAIMED_UNREADABLE = 1,
	OPEN_BY_HANDLE = 2,	/* open_by_handle_at(2): there is no claimed path */
};

/* Tail: file, claimed path. */
struct open_event {
	struct event_header header;
	struct event_process process;
	struct event_path file;	/* after a failure all zero */
	__u32 claimed_bytes;	/* NUL included */
	__u32 flags;		/* O_* as the caller passed them */
	__u32 mode;		/* as the caller passed it; 0 where it makes no file */
	__s32 result;		/* descriptor, or the negative errno */
	__u32 notes;		/* enum open_notes */
	__u32 reserved;		/* 0 */
};

enum connect_phase {
	CONNECT_ATTEMPT = 1,
	CONNECT_RESULT = 2,
};

struct connect_event {
	struct event_header header;
	struct event_process process;	/* of the attempt, in a result too: the result may arrive on anyone's CPU */
	__u64 socket_cookie;
	__u8 local_address[EVENT_ADDRESS_BYTES];	/* IPv4 in the first 4 bytes */
	__u8 remote_address[EVENT_ADDRESS_BYTES];
	__be16 local_port;	/* 0 while the kernel has chosen none */
	__be16 remote_port;
	__u16 family;		/* 4 or 6 */
	__u16 phase;		/* enum connect_phase */
	__s32 result;		/* of a result: 0 or negative errno */
	__u32 reserved;		/* 0 */
};

struct exit_event {
	struct event_header header;
	struct event_process process;	/* tid: the thread that ended last */
	__u32 wait_status;	/* as wait(2) reports it */
	__u32 reserved;		/* 0 */
};

enum tag_flags {
	TAG_ROOT = 1,		/* set from user space; its children do not inherit this flag */
	TAG_EXIT_REPORTED = 2,	/* on the thread group's leader: the process's one exit event is out */
};

/* Value of the task storage map "tags". */
struct tag {
	__u64 session_key;
	__u64 flags;		/* enum tag_flags */
};

/* One per session, the only element of an inner array; user space maps it into memory. Only ever counted up. */
struct session_state {
	__u64 issued;			/* sequence numbers given out */
	__u64 tasks_born;		/* by task_newtask; the worker adds the tasks that it tags */
	__u64 tasks_died;
	__u64 roots_died;		/* of these, tasks that the worker had tagged */
	__u64 untagged_children;	/* task_newtask could not make the child's tag */
	__u64 dropped[CLASS_COUNT][DROP_COUNT];
};

CAIRN_LAYOUT_ASSERT(sizeof(struct event_header) == 32, "event_header has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct event_process) == 56, "event_process has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct event_path) == 24, "event_path has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct exec_event) == 160, "exec_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct open_event) == 136, "open_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct connect_event) == 144, "connect_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct exit_event) == 96, "exit_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct tag) == 16, "tag has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct session_state) == 104, "session_state has a hole");

#undef CAIRN_LAYOUT_ASSERT
#ifdef __cplusplus
}  // namespace cairn::bpf
#endif
