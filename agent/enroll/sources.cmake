list(APPEND agent_sources enroll/enrolment.cc enroll/node_identity.cc enroll/renewal.cc enroll/ssh_host_key.cc)
list(APPEND agent_headers enroll/enrolment.h enroll/node_identity.h enroll/renewal.h enroll/ssh_host_key.h)
list(APPEND agent_links PkgConfig::LIBSSH)
