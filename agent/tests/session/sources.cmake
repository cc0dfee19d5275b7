list(APPEND agent_tests_sources
  session/certificate_check_test.cc session/control_socket_test.cc session/login_process_test.cc session/session_recorder_test.cc
  session/spool_room_test.cc session/ssh_fixture.cc session/ssh_server_test.cc)
set_source_files_properties(session/ssh_fixture.cc PROPERTIES
  COMPILE_DEFINITIONS CAIRN_PAM_SERVICE_FILE="${CMAKE_SOURCE_DIR}/packaging/pam/cairn")

# The inner programs of a session, for tests that bring a client of their own (agent/tests/session/session_program.cc).
add_executable(agent_session_program session/session_program.cc)
target_link_libraries(agent_session_program PRIVATE cairn_flags cairn_agent)
target_precompile_headers(agent_session_program REUSE_FROM cairn_base)
cmake_language(DEFER CALL add_dependencies agent_tests agent_session_program)
