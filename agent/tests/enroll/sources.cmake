list(APPEND agent_tests_sources enroll/ssh_host_key_test.cc)
