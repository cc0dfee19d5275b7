list(APPEND agent_sources
  session/account.cc session/capture_pump.cc session/certificate_check.cc session/channel.cc session/channel_requests.cc
  session/channel_exit.cc session/channel_streams.cc session/control_socket.cc session/forwarded_connection.cc session/forwarder.cc session/forwarder_process.cc session/forwards.cc session/linger.cc session/login.cc session/login_environment.cc
  session/login_process.cc session/node_link.cc session/pam_session.cc session/pty.cc session/session_recorder.cc session/socket_peer.cc session/spool_room.cc
  session/ssh_certificate.cc session/ssh_server.cc session/ssh_server_messages.cc session/ssh_signal.cc session/ssh_signature.cc
  session/user_program.cc session/utmp_entry.cc session/worker.cc session/worker_session.cc)
list(APPEND agent_headers
  session/account.h session/capture_pump.h session/certificate_check.h session/channel.h session/channel_exit.h
  session/channel_streams.h session/control_socket.h session/forwarded_connection.h session/forwarder.h session/forwarder_process.h session/forwards.h session/linger.h session/login.h session/login_environment.h session/login_process.h session/node_link.h
  session/pam_session.h session/pidfd.h session/poll_set.h session/pty.h session/session_host.h session/session_recorder.h session/socket_peer.h session/spool_room.h
  session/ssh_certificate.h session/ssh_flow.h session/ssh_server.h session/ssh_signal.h session/ssh_signature.h session/user_program.h
  session/utmp_entry.h session/worker.h session/worker_session.h)
list(APPEND agent_links PkgConfig::LIBSSH pam)
