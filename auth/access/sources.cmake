list(APPEND auth_sources access/authorize.cc access/names.cc access/password.cc access/retention_rules.cc access/throttle.cc)
list(APPEND auth_headers access/authorize.h access/names.h access/password.h access/retention_rules.h access/throttle.h)
list(APPEND auth_links crypt)
