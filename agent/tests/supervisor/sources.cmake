list(APPEND agent_tests_sources
  supervisor/agent_options_test.cc supervisor/control_connection_test.cc
  supervisor/exec_ledger_test.cc
  supervisor/heartbeat_test.cc supervisor/worker_launcher_test.cc)
list(APPEND agent_tests_links cairn_test_support)
