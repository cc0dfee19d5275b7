#include "recorder/html/page_process.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/child_process.h"
#include "base/file.h"
#include "recorder/html/html_export.h"

namespace cairn::recorder {
namespace {

constexpr const char* kName = "cairn-page";
constexpr const char* kWork = "making the page";
// What the process finds its work at: the limits and the channel on standard input, then events, each behind its
// length.
constexpr int kOutput = 3;
constexpr size_t kLengthBytes = 4;
constexpr size_t kMaxEventBytes = 2 * kMaxRawBytes;
// limits, 1 + the channel or 0 (8 bytes)
constexpr size_t kRequestBytes = kLimitsBytes + 8;

std::string encode(const PageRequest& request) {
  std::string bytes = encode_limits(request.limits);
  bytes.resize(kRequestBytes);
  write_le64(bytes.data() + kLimitsBytes, request.channel ? uint64_t{*request.channel} + 1 : 0);
  return bytes;
}

// False: the input ends before the first of them.
Result<bool> read_exactly(std::string& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::read(STDIN_FILENO, bytes.data() + at, bytes.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read the events");
    if (got == 0 && at == 0) return false;
    if (got == 0) return fail(Errc::kTruncated, "the events end in the middle of one");
    at += static_cast<size_t>(got);
  }
  return true;
}

Result<std::optional<Event>> next_event() {
  std::string length(kLengthBytes, '\0');
  const Result<bool> more = read_exactly(length);
  if (!more) return fail(more);
  if (!*more) return std::optional<Event>();
  const uint32_t event_bytes = read_le32(length.data());
  if (event_bytes > kMaxEventBytes) return fail(Errc::kTooLarge, fmt::format("an event of {} bytes", event_bytes));
  std::string bytes(event_bytes, '\0');
  if (event_bytes > 0) {
    const Result<bool> whole = read_exactly(bytes);
    if (!whole) return fail(whole);
    if (!*whole) return fail(Errc::kTruncated, "the events end in the middle of one");
  }
  Event event;
  if (!event.ParseFromString(bytes)) return fail(Errc::kCorrupt, "an event cannot be read");
  return std::optional(std::move(event));
}

Result<void> make_as_asked() {
  std::string request(kRequestBytes, '\0');
  const Result<bool> asked = read_exactly(request);
  if (!asked || !*asked)
    return fail(Errc::kInvalid, "no request on standard input; this program is started by Cairn itself");
  const SandboxLimits limits = decode_limits(request);
  std::optional<uint32_t> channel;
  if (const uint64_t given = read_le64(request.data() + kLimitsBytes); given > 0)
    channel = static_cast<uint32_t>(given - 1);
  if (Result<void> entered = enter_sandbox(limits); !entered) return entered;
  HtmlExport made(channel);
  for (;;) {
    const Result<std::optional<Event>> next = next_event();
    if (!next) return fail(next);
    const std::optional<Event>& event = *next;
    if (!event) break;
    if (Result<void> added = made.add(*event); !added) return added;
  }
  return write_all(kOutput, encode_parts(made.finish()));
}

}  // namespace

Result<PageProcess> PageProcess::start(PageRequest request) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_errno("socketpair");
  UniqueFd input(ends[0]);
  const UniqueFd theirs(ends[1]);
  Result<UniqueFd> output = memory_file({});
  if (!output) return fail(output);
  const std::array<HandedDescriptor, 2> handed = {{{theirs.get(), STDIN_FILENO}, {output->get(), kOutput}}};
  Result<SandboxedProcess> process = SandboxedProcess::start(kName, handed, request.program);
  if (!process) return fail(process);
  const std::string asked = encode(request);
  PageProcess page(std::move(request), std::move(*process), std::move(input), std::move(*output));
  if (Result<void> sent = page.send(asked); !sent) return fail(sent);
  return page;
}

// A process that has ended says why; one that does not read is not waited for without end.
Result<void> PageProcess::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(input_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    if (sent >= 0 || errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      Result<void> ended = process_.wait(kWork, request_.patience, nullptr);
      return ended ? fail(Errc::kUnavailable, "the process that makes the page ended early") : ended;
    }
    pollfd entry{.fd = input_.get(), .events = POLLOUT, .revents = 0};
    const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(request_.patience);
    if (::poll(&entry, 1, static_cast<int>(patience.count())) == 0)
      return fail(Errc::kTimeout, fmt::format("{} took more than {} s", kWork, request_.patience.count()));
  }
  return {};
}

Result<void> PageProcess::add(const Event& event) {
  const std::string bytes = event.SerializeAsString();
  std::string framed(kLengthBytes, '\0');
  write_le32(framed.data(), static_cast<uint32_t>(bytes.size()));
  return send(framed + bytes);
}

Result<PageParts> PageProcess::finish() {
  input_.reset();
  if (Result<void> done = process_.wait(kWork, request_.patience, nullptr); !done) return fail(done);
  struct stat status{};
  if (::fstat(output_.get(), &status) != 0) return fail_errno("fstat");
  if (status.st_size < 0 || static_cast<uint64_t>(status.st_size) > kMaxPageBytes)
    return fail(Errc::kTooLarge, fmt::format("a page of {} bytes", status.st_size));
  const Result<std::string> bytes = read_at(output_.get(), 0, static_cast<size_t>(status.st_size));
  if (!bytes) return fail(bytes);
  return decode_parts(*bytes);
}

bool is_page_process(int argc, const char* const* argv) { return is_sandboxed(kName, argc, argv); }

void run_as_page_process() { end_sandboxed(make_as_asked()); }

}  // namespace cairn::recorder
