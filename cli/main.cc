#include <signal.h>

#include <clocale>

#include "cli/print/exit_code.h"
#include "cli/verbs/command_line.h"
#include "recorder/derive/derive_process.h"
#include "recorder/html/page_process.h"

int main(int argc, char** argv) {
  using namespace cairn::cli;
  if (cairn::recorder::is_derive_process(argc, argv)) return cairn::recorder::run_as_derive_process();
  if (cairn::recorder::is_page_process(argc, argv)) cairn::recorder::run_as_page_process();
  std::setlocale(LC_CTYPE, "");  // the width of characters in tables
  ::signal(SIGPIPE, SIG_IGN);    // a peer or reader that has gone is an error like others
  Command command;
  if (const std::optional<int> done = parse_command_line(argc, argv, command)) return *done;
  const cairn::Result<int> exit_code = command.run();
  if (exit_code) return *exit_code;
  end_if_reader_left(exit_code.error());
  print_error(exit_code.error());
  return exit_code_of(exit_code.error());
}
