#include "cli/verbs/host_ledger.h"

#include <algorithm>
#include <charconv>
#include <string>

#include <fmt/format.h>

#include "cli/print/exit_code.h"
#include "cli/verbs/ask.h"

namespace cairn::cli {
namespace {

constexpr uint32_t kPage = 1000;
constexpr size_t kMaxEntries = 100'000;
constexpr int64_t kNsPerS = 1'000'000'000;

int64_t number_in(const audit::v1::AuditEvent& told, const std::string& field) {
  const auto found = told.fields().find(field);
  int64_t number = 0;
  if (found != told.fields().end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), number);
  }
  return number;
}

std::string text_in(const audit::v1::AuditEvent& told, const std::string& field) {
  const auto found = told.fields().find(field);
  return found == told.fields().end() ? "" : found->second;
}

recording::v1::Event entry_of(const audit::v1::AuditEvent& told, int64_t wall_ns_at_boot) {
  recording::v1::Event entry;
  entry.set_boot_ns(static_cast<uint64_t>(std::max<int64_t>(0, number_in(told, "at_wall_ns") - wall_ns_at_boot)));
  recording::v1::HostExec& exec = *entry.mutable_host_exec();
  exec.set_command(told.message());
  exec.set_executable(text_in(told, "executable"));
  exec.set_cwd(text_in(told, "cwd"));
  exec.set_pid(static_cast<uint32_t>(number_in(told, "pid")));
  exec.set_parent_pid(static_cast<uint32_t>(number_in(told, "parent_pid")));
  exec.set_uid(static_cast<uint32_t>(number_in(told, "uid")));
  return entry;
}

}  // namespace

Result<std::vector<recording::v1::Event>> host_ledger(const Context& context, EventFeed& recording) {
  const Result<EventFeed::Step> first = recording.next(std::chrono::milliseconds(0));
  if (!first) return fail(first);
  const recording::v1::Begin begin = first->event.begin();
  const int64_t wall_ns_at_boot = begin.wall_ns() - static_cast<int64_t>(first->event.boot_ns());
  if (Result<void> back = recording.rewind(); !back) return fail(back);
  if (begin.node_id().empty()) return fail(Errc::kInvalid, "the recording does not name its node");

  Result<AuthSession> session = open_auth(context);
  if (!session) return fail(session, "--with-host asks the audit log");
  auth::v1::SearchAuditRequest wanted;
  wanted.set_since_wall_s(begin.wall_ns() / kNsPerS);
  wanted.add_kinds("host.exec");
  wanted.set_node(begin.node_id());
  wanted.set_limit(kPage);
  wanted.set_ascending(true);
  std::vector<recording::v1::Event> ledger;
  for (;;) {
    auth::v1::Request request;
    *request.mutable_search_audit() = wanted;
    const Result<auth::v1::Response> page = session->call(std::move(request), auth::v1::Response::kSearchAudit);
    if (!page) return fail(page);
    for (const audit::v1::AuditEvent& told : page->search_audit().events()) {
      ledger.push_back(entry_of(told, wall_ns_at_boot));
    }
    if (page->search_audit().next_page_token().empty()) break;
    if (ledger.size() >= kMaxEntries) {
      print_warning(fmt::format("the host's ledger is shown up to its {}th entry", ledger.size()));
      break;
    }
    wanted.set_page_token(page->search_audit().next_page_token());
  }
  std::ranges::sort(ledger, {}, [](const recording::v1::Event& entry) { return entry.boot_ns(); });
  return ledger;
}

}  // namespace cairn::cli
