list(APPEND agent_tests_sources enroll/enrolment_test.cc enroll/renewal_test.cc enroll/ssh_host_key_test.cc)
list(APPEND agent_tests_links cairn_test_support)
