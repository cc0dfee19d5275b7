list(APPEND agent_tests_sources upload/spool_reader_test.cc upload/uploader_test.cc)
