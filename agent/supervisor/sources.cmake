list(APPEND agent_sources
  supervisor/agent_options.cc supervisor/control_connection.cc supervisor/data_lock.cc supervisor/heartbeat.cc
  supervisor/worker_launcher.cc)
list(APPEND agent_headers
  supervisor/agent_options.h supervisor/control_connection.h supervisor/data_lock.h supervisor/heartbeat.h
  supervisor/worker_launcher.h)
