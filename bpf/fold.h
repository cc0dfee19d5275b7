/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include "bpf/session.h"

enum fold_kind {
	FOLD_OPEN,
	FOLD_MAP,
};

/* True: the current task's use of the file has been counted, and needs no record. */
bool fold(struct session_state *session, __u64 session_key, struct file *file, enum fold_kind kind);
