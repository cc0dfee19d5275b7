// The tests start themselves as the process that derives, as the programs do.
#include <gmock/gmock.h>

#include "recorder/derive/derive_process.h"

int main(int argc, char** argv) {
  if (cairn::recorder::is_derive_process(argc, argv)) return cairn::recorder::run_as_derive_process();
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
