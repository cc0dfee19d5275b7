# The inner programs of a session, for tests that bring a client of their own (agent/tests/session/session_program.cc).
add_executable(agent_session_program ${CMAKE_CURRENT_LIST_DIR}/session_program.cc)
target_link_libraries(agent_session_program PRIVATE cairn_flags cairn_agent)
target_precompile_headers(agent_session_program REUSE_FROM cairn_base)
