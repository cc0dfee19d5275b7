#include "agent/capture/libbpf_log.h"

#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <optional>
#include <vector>

#include <bpf/libbpf.h>

namespace cairn::agent {
namespace {

constexpr size_t kMaxMessageBytes = 64 * 1024;  // a verifier's log comes as one message; its verdict stands at its end
constexpr size_t kMaxReasonBytes = 300;

std::mutex mutex;
std::optional<Log> receiver;
thread_local std::string* warnings = nullptr;

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kPrefix = "libbpf: ";
  if (line.starts_with(kPrefix)) line.remove_prefix(kPrefix.size());
  const size_t end = line.find_last_not_of(" \n\r\t");
  return end == std::string_view::npos ? std::string_view() : line.substr(0, end + 1);
}

std::string formatted(const char* format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  const int bytes = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (bytes <= 0) return "";
  std::string text(static_cast<size_t>(bytes) + 1, '\0');
  std::vsnprintf(text.data(), text.size(), format, arguments);
  text.resize(static_cast<size_t>(bytes));
  if (text.size() > kMaxMessageBytes) text.erase(0, text.size() - kMaxMessageBytes);
  return text;
}

int receive(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;  // hundreds of lines on every load, about relocations
  const std::string text = formatted(format, arguments);
  if (warnings != nullptr && level == LIBBPF_WARN) *warnings += text;
  const std::lock_guard lock(mutex);
  if (receiver) receiver->debug("capture.libbpf", kv("message", trimmed(text)));
  return 0;
}

}  // namespace

void route_libbpf_messages(Log log) {
  const std::lock_guard lock(mutex);
  receiver = std::move(log);
  libbpf_set_print(receive);
}

LibbpfWarnings::LibbpfWarnings() { warnings = &text_; }
LibbpfWarnings::~LibbpfWarnings() { warnings = nullptr; }

std::string LibbpfWarnings::reason() const {
  std::string_view before_end;
  std::string_view first;
  for (size_t at = 0; at < text_.size();) {
    const size_t end = std::min(text_.find('\n', at), text_.size());
    const std::string_view line = trimmed(std::string_view(text_).substr(at, end - at));
    at = end + 1;
    if (first.empty()) first = line;
    // The verifier's last lines are its statistics; what stands before them is the verdict.
    if (line.starts_with("processed ") || line.starts_with("verification time")) {
      return std::string(before_end.substr(0, kMaxReasonBytes));
    }
    if (!line.empty()) before_end = line;
  }
  return std::string(first.substr(0, kMaxReasonBytes));
}

}  // namespace cairn::agent
