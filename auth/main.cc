// cairn-auth: the cluster's authority and archive.
#include "auth/service/auth_program.h"
#include "recorder/archive/recompress_process.h"
#include "recorder/derive/derive_process.h"

int main(int argc, char** argv) {
  if (cairn::recorder::is_derive_process(argc, argv)) return cairn::recorder::run_as_derive_process();
  if (cairn::recorder::is_recompress_process(argc, argv)) return cairn::recorder::run_as_recompress_process();
  return cairn::auth::run_auth(argc, argv);
}
