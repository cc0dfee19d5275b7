// cairn-auth: the cluster's authority and archive.
#include "auth/service/auth_program.h"

int main(int argc, char** argv) { return cairn::auth::run_auth(argc, argv); }
