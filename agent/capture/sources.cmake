list(APPEND agent_sources
  capture/bpf_object.cc capture/bpffs.cc capture/capture_host.cc capture/event_decoder.cc capture/libbpf_log.cc
  capture/pins.cc capture/session_capture.cc capture/session_registration.cc capture/tier.cc)
list(APPEND agent_headers
  capture/bpf_object.h capture/bpffs.h capture/capture_host.h capture/capture_status.h capture/event_decoder.h
  capture/libbpf_log.h capture/pins.h capture/session_capture.h capture/session_registration.h capture/tier.h)
list(APPEND agent_links cairn_bpf PkgConfig::LIBBPF)
