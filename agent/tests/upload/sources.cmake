list(APPEND agent_tests_sources upload/spool_reader_test.cc upload/uploader_test.cc)
list(APPEND agent_tests_links cairn_faulty_disk)
