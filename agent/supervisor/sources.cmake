list(APPEND agent_sources
  supervisor/agent_options.cc supervisor/agent_program.cc supervisor/canary_watch.cc supervisor/control_connection.cc supervisor/control_connections.cc supervisor/doctor.cc supervisor/exec_ledger.cc
  supervisor/heartbeat.cc supervisor/metrics_file.cc supervisor/status_socket.cc supervisor/supervisor.cc supervisor/worker_launcher.cc)
list(APPEND agent_headers
  supervisor/agent_options.h supervisor/agent_program.h supervisor/canary_watch.h supervisor/control_connection.h supervisor/control_connections.h supervisor/doctor.h supervisor/exec_ledger.h
  supervisor/heartbeat.h supervisor/metrics_file.h supervisor/status_socket.h supervisor/supervisor.h supervisor/worker_launcher.h)
