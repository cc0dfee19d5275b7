// The tests start themselves as the processes that derive and recompress, as the programs do.
#include <gmock/gmock.h>

#include "recorder/archive/recompress_process.h"
#include "recorder/derive/derive_process.h"

int main(int argc, char** argv) {
  if (cairn::recorder::is_derive_process(argc, argv)) return cairn::recorder::run_as_derive_process();
  if (cairn::recorder::is_recompress_process(argc, argv)) return cairn::recorder::run_as_recompress_process();
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
