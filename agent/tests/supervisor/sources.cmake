list(APPEND agent_tests_sources supervisor/data_lock_test.cc supervisor/worker_launcher_test.cc)
