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
	EVENT_CHANGE = 5,
	EVENT_SOCKET = 6,
	EVENT_TAMPER = 7,
};

/* One ring each. */
enum event_class {
	CLASS_EXEC = 0,	/* exec, exit, connect, socket, tamper: what a flood of the other class must not displace */
	CLASS_OPEN = 1,	/* open, change */
	CLASS_COUNT = 2,
};

/* Why a sequence number was spent without a record. */
enum drop_reason {
	DROP_RING_FULL = 0,	/* also: the ring's lock was not to be had */
	DROP_NO_RING = 1,	/* the session is being unregistered */
	DROP_NO_SCRATCH = 2,	/* every buffer to assemble a record in was taken */
	DROP_NO_STORAGE = 3,	/* a socket, or an io_uring request, could not be tied to the session: its result will be missing; or
				   more descriptors came at once than are looked at */
	DROP_COUNT = 4,
};

enum {
	EVENT_COMM_BYTES = 16,
	EVENT_ADDRESS_BYTES = 16,
	EVENT_PATH_MAX = 4096,		/* components of a walked path, or a claimed path; NULs included */
	EVENT_NAME_MAX = 256,		/* one component, NUL included */
	EVENT_ARGV_MAX = 64 * 1024,
	FOLDS_MAX = 4096,		/* of a session; beyond them everything is recorded in full */
	FOLD_NAME_MAX = 7,
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
	__u32 mount_namespace;	/* inode number, as in /proc/PID/ns/mnt; 0: the task is past it, on its way out */
	__u32 exec_id;		/* self_exec_id: counts the images of a process */
	__u32 tag_flags;	/* enum tag_flags */
	char comm[EVENT_COMM_BYTES];	/* NUL-terminated */
};

enum path_flags {
	PATH_COMPLETE = 1,	/* the walk reached the root of the mount namespace */
	PATH_DETACHED = 2,	/* no name in any tree (memfd, pipe): the one component is its name, or the file system's */
	PATH_UNNAMED = 4,	/* with PATH_DETACHED: the component is the file system's name */
	PATH_BASE = 8,		/* not the object, but the folder from which its claimed path starts */
};

/*
 * In the tail: components from the last to the first, each NUL-terminated, without slashes. None: "/". Of these the
 * first own_bytes lie within the file's own mount. Behind them beyond_bytes of components from where that mount starts
 * up to the root of the file system: only when it is a bind mount of a part. own + beyond is the path within the file system.
 */
struct event_path {
	__u64 inode;
	__u32 device;		/* the kernel's dev_t: major << 20 | minor */
	__u32 links;		/* i_nlink; 0: deleted */
	__u32 bytes;		/* in the tail */
	__u32 own_bytes;
	__u32 beyond_bytes;	/* in the tail, behind `bytes` */
	__u32 flags;		/* enum path_flags */
};

enum exec_flags {
	EXEC_FILENAME_UNREADABLE = 1,
	EXEC_ARGV_UNREADABLE = 2,	/* argv_bytes is what could be read before */
	EXEC_SCRIPT = 4,	/* filename named a script; executable is what interprets it */
	EXEC_COMPAT = 8,	/* failure only: 32-bit system call */
};

struct event_credentials {
	__u64 permitted;	/* capabilities */
	__u64 effective;
	__u32 euid;
	__u32 egid;
	__u32 securebits;
	__u32 tty;		/* dev_t of the controlling terminal; 0: none */
};

/* Inode numbers, as in /proc/PID/ns/. The mount namespace is in event_process. */
struct event_namespaces {
	__u32 pid;		/* of the children to come */
	__u32 net;
	__u32 user;
	__u32 cgroup;
};

/* Tail: executable, cwd, filename, interpreter, argv. After a failure only process, cwd and filename are there. */
struct exec_event {
	struct event_header header;
	struct event_process process;
	struct event_path executable;
	struct event_path cwd;
	struct event_credentials credentials;
	struct event_namespaces namespaces;
	__u64 parent_start_boot_ns;
	__s64 changed_ns;	/* ctime of the executable, CLOCK_REALTIME */
	__u64 argv_total_bytes;	/* in the kernel; more than argv_bytes: truncated */
	__u32 filename_bytes;	/* NUL included; 0: none */
	__u32 interpreter_bytes;	/* likewise: as a script's first line names it; only with EXEC_SCRIPT */
	__u32 argv_bytes;	/* NUL-terminated strings; the last may be cut */
	__s32 result;		/* 0, or the negative errno */
	__u32 flags;		/* enum exec_flags */
	__u32 reserved;		/* 0 */
};

enum open_notes {
	OPEN_CLAIMED_UNREADABLE = 1,
	OPEN_BY_HANDLE = 2,	/* open_by_handle_at(2): there is no claimed path */
	OPEN_BY_URING = 4,
	OPEN_DIRECT = 8,	/* io_uring: result is a slot of the ring's own table */
	OPEN_RECEIVED = 16,	/* not opened here: came over a unix socket, or by pidfd_getfd(2) */
	OPEN_CREATED = 32,
	OPEN_COMPAT = 64,	/* 32-bit system call */
	OPEN_CLAIMED_CUT = 128,
};

/* Tail: file, claimed path. */
struct open_event {
	struct event_header header;
	struct event_process process;
	struct event_path file;	/* after a failure all zero, or the base of a relative claimed path */
	__u32 claimed_bytes;	/* NUL included */
	__u32 flags;		/* O_* as the caller passed them */
	__u32 mode;		/* as the caller passed it; 0 where it makes no file */
	__s32 result;		/* descriptor, or the negative errno */
	__u32 notes;		/* enum open_notes */
	__u32 reserved;		/* 0 */
};

enum change_op {
	CHANGE_UNLINK = 1,
	CHANGE_RMDIR,
	CHANGE_MKDIR,
	CHANGE_MKNOD,
	CHANGE_RENAME,
	CHANGE_LINK,
	CHANGE_SYMLINK,
	CHANGE_CHMOD,
	CHANGE_CHOWN,
	CHANGE_TRUNCATE,
	CHANGE_MOUNT,
	CHANGE_UMOUNT,
	CHANGE_PIVOT_ROOT,
	CHANGE_CHROOT,
};

/*
 * A change to the tree of files, or to one file's metadata. Tail: first, second, claimed_first, claimed_second.
 * rename, link: first is the old name, second the new one. symlink: claimed_first is the text, second the link. mount:
 * claimed_first is the source, second the place.
 */
struct change_event {
	struct event_header header;
	struct event_process process;
	struct event_path first;	/* the object, or with PATH_BASE where a relative claimed path starts; or all zero */
	struct event_path second;
	__u64 length;		/* truncate */
	__u32 claimed_first_bytes;	/* NUL included; 0: none, or unreadable */
	__u32 claimed_second_bytes;
	__u32 op;		/* enum change_op */
	__u32 mode;		/* mkdir, mknod, chmod; of mount and umount the flags */
	__u32 uid;		/* chown */
	__u32 gid;
	__s32 result;		/* 0, or the negative errno */
	__u32 reserved;		/* 0 */
};

enum socket_op {
	SOCKET_CREATE = 1,	/* of a family that is not IPv4, IPv6, unix or netlink */
	SOCKET_BIND,
	SOCKET_LISTEN,
	SOCKET_ACCEPT,
	SOCKET_CONNECT,		/* of what is not TCP */
	SOCKET_SEND,		/* the first datagram to this address in a row */
};

enum socket_notes {
	SOCKET_REMOTE_CLAIMED = 1,	/* the remote address is from the caller's memory */
	SOCKET_BY_URING = 2,
	SOCKET_COMPAT = 4,
};

/*
 * Tail: local_path, remote_path of a unix socket, without NUL; the first byte of an abstract one is NUL. vsock: the
 * context id in the first 4 bytes of an address and, as a whole, the port in the next 4.
 */
struct socket_event {
	struct event_header header;
	struct event_process process;
	__u64 socket_cookie;	/* 0: none yet */
	__u8 local_address[EVENT_ADDRESS_BYTES];
	__u8 remote_address[EVENT_ADDRESS_BYTES];
	__be16 local_port;
	__be16 remote_port;
	__u16 family;		/* AF_* */
	__u16 type;		/* SOCK_* */
	__u32 protocol;
	__u32 peer_pid;		/* unix: of who listens, when it listened; 0: unknown */
	__u32 local_bytes;
	__u32 remote_bytes;
	__u32 op;		/* enum socket_op */
	__u32 notes;		/* enum socket_notes */
	__s32 result;		/* descriptor, 0, or the negative errno; of a send the bytes or 0 */
	__u32 reserved;		/* 0 */
};

enum tamper_op {
	TAMPER_BPF = 1,		/* detail: the command */
	TAMPER_PTRACE,		/* detail: the request */
	TAMPER_VM_WRITE,	/* process_vm_writev(2) */
	TAMPER_SIGNAL,		/* to the agent; detail: the signal */
	TAMPER_CGROUP,		/* text: the cgroup's path */
	TAMPER_NAMESPACE,	/* setns(2), unshare(2), clone(2); detail: the CLONE_NEW* flags */
	TAMPER_MODULE,		/* detail: 1 loaded, 2 removed, 3 kexec */
	TAMPER_PRCTL,		/* PR_SET_MM; detail: its option */
	TAMPER_MAP_EXEC,	/* memory became executable; file: what is mapped, none: anonymous; detail: PROT_* */
};

enum tamper_notes {
	TAMPER_TAINTED = 1,	/* the target is of this session from here on */
	TAMPER_TARGET_OUTSIDE = 2,	/* it was of no session, or of another */
};

/* Tail: file, text. */
struct tamper_event {
	struct event_header header;
	struct event_process process;
	struct event_path file;
	__u64 detail;
	__u64 target_start_boot_ns;
	__u32 target_pid;	/* tgid in the initial pid namespace; 0: none or unknown */
	__u32 text_bytes;	/* without NUL */
	__u32 op;		/* enum tamper_op */
	__u32 notes;		/* enum tamper_notes */
	__s32 result;
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
	__u64 user_ns;		/* processor time of all threads */
	__u64 system_ns;
	__u64 read_bytes;	/* from storage; 0 without CONFIG_TASK_IO_ACCOUNTING */
	__u64 written_bytes;
	__u64 max_rss_pages;
	__u32 wait_status;	/* as wait(2) reports it */
	__u32 reserved;		/* 0 */
};

enum tag_flags {
	TAG_ROOT = 1,		/* set from user space; its children do not inherit this flag */
	TAG_EXIT_REPORTED = 2,	/* on the thread group's leader: the process's one exit event is out */
	TAG_INJECTED = 4,	/* a process outside into which the session reached; it and its children keep no session open */
};

#define FOLD_BY_NAME (1ULL << 63)

/*
 * Opens and executable mappings that are counted and not recorded one by one. The session's inner map "folds" holds the
 * files that user space wants counted (program all zero: a mark), and then a count for each program that used one. Files
 * of processes' folders in procfs may be marked by their name: /proc/1/stat and /proc/2/stat then count as one file.
 */
struct fold_key {
	__u64 program_inode;
	__u64 inode;		/* or FOLD_BY_NAME with the name in its first FOLD_NAME_MAX bytes */
	__u32 program_device;
	__u32 device;
};

struct fold_count {
	__u64 opens;
	__u64 maps;
	__u64 last_boot_ns;
};

/* Key of the map "held": a process that was stopped by SIGSTOP until its session's rings are read. */
struct held_key {
	__u64 session_key;
	__u32 pid;		/* tgid, in the initial pid namespace */
	__u32 reserved;		/* 0 */
};

/* Value of the task storage map "tags". */
struct tag {
	__u64 session_key;
	__u64 flags;		/* enum tag_flags */
};

/* One per session, the only element of an inner array; user space maps it into memory. Counts only grow. */
/* Keys under which the agent registers what is no session: the host's ledger of executions, its canary. */
static const __u64 LEDGER_KEY = ~0ULL;
static const __u64 CANARY_KEY = ~0ULL - 1;

struct session_state {
	__u64 issued;			/* sequence numbers given out */
	__u64 tasks_born;		/* by task_newtask; the worker adds the tasks that it tags */
	__u64 tasks_died;
	__u64 roots_died;		/* of these, tasks that the worker had tagged */
	__u64 untagged_children;	/* task_newtask could not make the child's tag */
	__u64 dropped[CLASS_COUNT][DROP_COUNT];
	__u64 folded;			/* what "folds" counts, in all; these have no sequence number */
	__u64 holds;			/* processes held so far, for want of room in a ring */
	__u64 is_lossless;		/* set by user space: who makes events faster than they are read is held (map "held") */
	__u64 is_polled;		/* by user space: it looks by itself every few milliseconds, and need not be woken */
	__u64 is_aggregating;		/* by user space: while a ring is half full, repeated reading of a file is counted */
	__u64 blind_classes;		/* by user space: of the canary's classes, a bit for each that is not seen now */
};

CAIRN_LAYOUT_ASSERT(sizeof(struct event_header) == 32, "event_header has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct event_process) == 64, "event_process has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct event_path) == 32, "event_path has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct exec_event) == 256, "exec_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct open_event) == 152, "open_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct change_event) == 200, "change_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct socket_event) == 176, "socket_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct tamper_event) == 168, "tamper_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct connect_event) == 152, "connect_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct exit_event) == 144, "exit_event has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct tag) == 16, "tag has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct fold_key) == 24, "fold_key has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct fold_count) == 24, "fold_count has a hole");
CAIRN_LAYOUT_ASSERT(sizeof(struct session_state) == 152, "session_state has a hole");

#undef CAIRN_LAYOUT_ASSERT
#ifdef __cplusplus
}  // namespace cairn::bpf
#endif
