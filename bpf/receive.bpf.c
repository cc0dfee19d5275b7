// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "bpf/sys_exit.h"

#include <bpf/bpf_core_read.h>

#include "bpf/opened.h"
#include "bpf/record.h"
#include "bpf/socket.h"

enum {
	SOL_SOCKET = 1,
	SCM_RIGHTS = 1,
	SCM_MAX_FD = 253,	/* include/net/scm.h */
	CONTROLS_MAX = 4,	/* a unix socket gives credentials, security, pidfd and descriptors: one of each */
};

/* struct msghdr and struct cmsghdr, of either ABI. */
struct control {
	__u64 at;
	__u64 bytes;
};

struct descriptors {
	struct session_state *session;
	struct scratch *scratch;
	__u64 at;
	__u32 count;
};

static bool read_control(const struct call *call, struct control *control)
{
	__u32 compat[2] = {};
	__u64 own[2] = {};

	if (call->is_compat) {
		if (bpf_probe_read_user(compat, sizeof(compat), (void *)call->arguments[1] + 16))
			return false;
		control->at = compat[0];
		control->bytes = compat[1];
	} else {
		if (bpf_probe_read_user(own, sizeof(own), (void *)call->arguments[1] + 32))
			return false;
		control->at = own[0];
		control->bytes = own[1];
	}
	return control->at != 0;
}

static long record_one(__u32 index, struct descriptors *descriptors)
{
	struct scratch *scratch = descriptors->scratch;
	__s32 descriptor = -1;
	struct file *file;

	if (index >= descriptors->count)
		return 1;
	if (bpf_probe_read_user(&descriptor, sizeof(descriptor), (void *)descriptors->at + index * 4))
		return 1;
	file = file_of(descriptor);
	scratch->opened.result = descriptor;
	if (file)
		record_opened(descriptors->session, scratch, file);
	return 0;
}

static void record_message(struct session_state *session, struct scratch *scratch)
{
	const struct call *call = &scratch->call;
	__u32 header_bytes = call->is_compat ? 12 : 16;
	__u32 alignment = call->is_compat ? 4 : 8;
	struct control control = {};
	__u64 bytes;
	int header[2];	/* level, type */
	int i;

	if (!read_control(call, &control))
		return;
	for (i = 0; i < CONTROLS_MAX; i++) {
		if (control.bytes < header_bytes)
			return;
		bytes = 0;
		if (bpf_probe_read_user(&bytes, call->is_compat ? 4 : 8, (void *)control.at) ||
		    bpf_probe_read_user(header, sizeof(header), (void *)control.at + header_bytes - 8))
			return;
		if (bytes < header_bytes || bytes > control.bytes)
			return;
		if (header[0] == SOL_SOCKET && header[1] == SCM_RIGHTS) {
			struct descriptors descriptors = {
				.session = session,
				.scratch = scratch,
				.at = control.at + header_bytes,
				.count = (bytes - header_bytes) / 4,
			};

			bpf_loop(SCM_MAX_FD, record_one, &descriptors, 0);
		}
		bytes = (bytes + alignment - 1) & ~(__u64)(alignment - 1);
		if (bytes >= control.bytes)
			return;
		control.at += bytes;
		control.bytes -= bytes;
	}
}

/*
 * Descriptors came from another process. Which ones stands in the caller's memory, where the kernel has just written
 * it; what they are is the kernel's.
 */
__hidden void record_received(struct session_state *session, struct scratch *scratch)
{
	const struct call *call = &scratch->call;
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
	if (sk && BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX)
		record_message(session, scratch);
}
