/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The same sources make programs of two kinds. Tiers A and B: with BTF types, whose pointers are loaded from like the
 * kernel's own, and tags in the storage of tasks. Tier C (CAIRN_TIER_C): raw tracepoints, for kernels that take no
 * BTF-typed program; every pointer is a number there, read through a helper, and tags are found by pid.
 */
#pragma once

#include "bpf/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* The value of READ(pointer, member, member...), each a pointer but the last: of objects that the kernel holds for us. */
#ifdef CAIRN_TIER_C
#define TRACEPOINT(name) SEC("raw_tp/" #name)
#define READ(...) BPF_CORE_READ(__VA_ARGS__)
#else
#define TRACEPOINT(name) SEC("tp_btf/" #name)
#define READ(...) ___arrow(__VA_ARGS__)
#endif

static __always_inline struct task_struct *current_task(void)
{
#ifdef CAIRN_TIER_C
	return (struct task_struct *)bpf_get_current_task();
#else
	return bpf_get_current_task_btf();
#endif
}
