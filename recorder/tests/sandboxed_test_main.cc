// The tests start themselves as the processes that work on hostile bytes, as the programs do.
#include <gmock/gmock.h>

#include "recorder/archive/recompress_process.h"
#include "recorder/derive/derive_process.h"
#include "recorder/html/page_process.h"

int main(int argc, char** argv) {
  using namespace cairn::recorder;
  if (is_derive_process(argc, argv)) return run_as_derive_process();
  if (is_recompress_process(argc, argv)) return run_as_recompress_process();
  if (is_page_process(argc, argv)) run_as_page_process();
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
