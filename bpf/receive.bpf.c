// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/call.h"

#include <bpf/bpf_core_read.h>

#include "bpf/opened.h"
#include "bpf/record.h"
#include "bpf/socket.h"

enum {
	SOL_SOCKET = 1,
	SCM_RIGHTS = 1,
	SCM_MAX_FD = 253,	/* include/net/scm.h */
	STEPS_MAX = 4096,	/* the caller's memory says how many there are: some milliseconds, whatever it says */
};

struct receiver {
	struct session_state *session;
	struct scratch *scratch;
};

/* Of the struct msghdr at `message`: where its control messages lie, and how many bytes. */
static bool enter_message(struct receiving *receiving, bool is_compat)
{
	__u32 compat[2] = {};
	__u64 own[2] = {};

	if (is_compat) {
		if (bpf_probe_read_user(compat, sizeof(compat), (void *)receiving->message + 16))
			return false;
		receiving->control = compat[0];
		receiving->control_bytes = compat[1];
	} else {
		if (bpf_probe_read_user(own, sizeof(own), (void *)receiving->message + 32))
			return false;
		receiving->control = own[0];
		receiving->control_bytes = own[1];
	}
	receiving->message += is_compat ? 32 : 64;	/* struct mmsghdr: a msghdr and how long its message was */
	receiving->messages--;
	return true;
}

/* struct cmsghdr: length, level, type. Leaves receiving at the next one. */
static void enter_control(struct receiving *receiving, bool is_compat)
{
	__u32 header_bytes = is_compat ? 12 : 16;
	__u32 alignment = is_compat ? 4 : 8;
	void *control = (void *)receiving->control;
	int header[2];	/* level, type */
	__u64 bytes = 0;

	if (bpf_probe_read_user(&bytes, is_compat ? 4 : 8, control) ||
	    bpf_probe_read_user(header, sizeof(header), control + header_bytes - 8) ||
	    bytes < header_bytes || bytes > receiving->control_bytes) {
		receiving->control_bytes = 0;
		return;
	}
	if (header[0] == SOL_SOCKET && header[1] == SCM_RIGHTS) {
		receiving->descriptors = receiving->control + header_bytes;
		receiving->descriptor_count = (bytes - header_bytes) / 4;
		if (receiving->descriptor_count > SCM_MAX_FD)
			receiving->descriptor_count = SCM_MAX_FD;
	}
	bytes = (bytes + alignment - 1) & ~(__u64)(alignment - 1);
	receiving->control_bytes -= bytes < receiving->control_bytes ? bytes : receiving->control_bytes;
	receiving->control += bytes;
}

/* Returns 1 when it is not to be read. */
static long record_descriptor(const struct receiver *receiver)
{
	struct receiving *receiving = &receiver->scratch->receiving;
	__s32 descriptor = -1;
	struct file *file;

	if (bpf_probe_read_user(&descriptor, sizeof(descriptor), (void *)receiving->descriptors))
		return 1;
	receiving->descriptors += sizeof(descriptor);
	receiving->descriptor_count--;
	file = file_of(descriptor);
	receiver->scratch->opened.result = descriptor;
	if (file)
		record_opened(receiver->session, receiver->scratch, file);
	return 0;
}

/*
 * One step through messages, their control messages and the descriptors in these: a loop for each would be more
 * frames deep than the verifier allows.
 */
static long receive_step(__u32 index, const struct receiver *receiver)
{
	struct receiving *receiving = &receiver->scratch->receiving;
	bool is_compat = receiver->scratch->call.is_compat;

	if (receiving->descriptor_count)
		return record_descriptor(receiver);
	if (receiving->control && receiving->control_bytes >= (is_compat ? 12 : 16)) {
		enter_control(receiving, is_compat);
		return 0;
	}
	if (!receiving->messages)
		return 1;
	return enter_message(receiving, is_compat) ? 0 : 1;
}

/*
 * Descriptors came from another process. Which ones stands in the caller's memory, where the kernel has just written
 * it; what they are is the kernel's.
 */
__hidden void record_received(struct session_state *session, struct scratch *scratch)
{
	const struct call *call = &scratch->call;
	struct receiver receiver = {.session = session, .scratch = scratch};
	struct receiving *receiving = &scratch->receiving;
	struct event_header lost = {};
	struct opened *opened = &scratch->opened;
	struct sock *sk;

	if (call->result < 0)
		return;
	__builtin_memset(opened, 0, sizeof(*opened));
	opened->notes = OPEN_RECEIVED;
	opened->result = call->result;
	if (call->kind == CALL_PIDFD_GETFD) {
		record_opened(session, scratch, file_of(call->result));
		return;
	}
	sk = sock_of(file_of(call->arguments[0]));
	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX)
		return;
	__builtin_memset(receiving, 0, sizeof(*receiving));
	receiving->message = call->arguments[1];
	receiving->messages = call->kind == CALL_RECVMMSG ? call->result : 1;
	if (bpf_loop(STEPS_MAX, receive_step, &receiver, 0) == STEPS_MAX) {
		start_record(session, scratch->owner.session_key, &lost, EVENT_OPEN);
		count_drop(session, CLASS_OPEN, DROP_NO_STORAGE);	/* one for all that were left */
	}
}
