list(APPEND agent_sources
  capture/bpf_object.cc capture/bpffs.cc capture/canary.cc capture/capture_host.cc capture/decode_file.cc capture/decode_network.cc capture/decode_process.cc capture/decode_tamper.cc
  capture/event_decoder.cc capture/executable_hasher.cc capture/fold_table.cc capture/kernel_types.cc capture/noise_path.cc capture/record_parts.cc capture/sensitive_path.cc capture/libbpf_log.cc
  capture/pins.cc capture/session_capture.cc capture/session_registration.cc
  capture/task_tags.cc capture/tier.cc)
list(APPEND agent_headers
  capture/bpf_object.h capture/bpffs.h capture/canary.h capture/capture_host.h capture/capture_status.h capture/event_decoder.h capture/executable_hasher.h capture/fold_table.h capture/kernel_types.h capture/noise_path.h capture/record_parts.h capture/sensitive_path.h
  capture/libbpf_log.h capture/pins.h capture/session_capture.h capture/session_registration.h
  capture/task_tags.h capture/tier.h)
list(APPEND agent_links cairn_bpf PkgConfig::LIBBPF)
