#include "cli/verbs/ask.h"

#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"

namespace cairn::cli {

Result<int> ask_for_done(const Context& context, auth::v1::Request request, const std::string& sentence) {
  if (const auto response = ask(context, std::move(request), auth::v1::Response::kDone); !response)
    return fail(response);
  const Result<void> printed =
      context.is_json() ? print_json(nlohmann::ordered_json::object()) : print_text(printable(sentence) + "\n");
  if (!printed) return fail(printed);
  return kExitOk;
}

}  // namespace cairn::cli
