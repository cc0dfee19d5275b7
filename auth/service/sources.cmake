list(APPEND auth_sources
  service/admin_socket.cc service/audit_events.cc service/audit_head.cc service/audit_requests.cc service/auth_options.cc service/auth_program.cc
  service/auth_server.cc service/data_directory.cc service/enrolment.cc service/issuer.cc service/key_requests.cc service/node_requests.cc
  service/people_requests.cc service/presence.cc service/recording_search.cc service/retention.cc service/retention_requests.cc
  service/search_requests.cc service/service.cc service/session_requests.cc service/token_requests.cc)
list(APPEND auth_headers
  service/admin_socket.h service/audit_events.h service/audit_head.h service/auth_options.h service/auth_program.h service/auth_server.h
  service/data_directory.h service/enrolment.h service/issuer.h service/open_connections.h service/presence.h service/recording_search.h
  service/retention.h service/service.h)
