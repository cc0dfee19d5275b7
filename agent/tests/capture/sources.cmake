list(APPEND agent_tests_sources
  capture/capture_host_test.cc capture/connect_test.cc capture/event_decoder_test.cc capture/exec_test.cc capture/executable_hasher_test.cc
  capture/live_capture.cc capture/noise_path_test.cc capture/open_test.cc capture/session_test.cc capture/tamper_test.cc capture/verifier_test.cc)
list(APPEND agent_tests_links cairn_bpf PkgConfig::LIBBPF)
