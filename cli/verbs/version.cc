#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {

void add_version_verb(CLI::App& app, Command& command) {
  CLI::App* verb = add_verb(app, "version", "Print the version", "cairn version");
  add_format(verb, command);
  verb->callback([&command] {
    command.run = [&command]() -> Result<int> {
      const Result<void> printed = command.context.is_json() ? print_json({{"version", CAIRN_VERSION}})
                                                             : print_text("cairn " CAIRN_VERSION "\n");
      if (!printed) return fail(printed);
      return kExitOk;
    };
  });
}

}  // namespace cairn::cli
