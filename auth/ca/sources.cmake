list(APPEND auth_sources
  ca/authorities.cc ca/pem.cc ca/ssh_authority.cc ca/ssh_certificate.cc ca/ssh_key_file.cc ca/x509_authority.cc)
list(APPEND auth_headers
  ca/authorities.h ca/openssl_types.h ca/pem.h ca/ssh_authority.h ca/ssh_certificate.h ca/ssh_key_file.h ca/x509_authority.h)
