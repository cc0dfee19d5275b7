#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "base/result.h"

namespace spdlog {
class logger;
}

namespace cairn {

struct LogField {
  std::string_view key;  // the unit is in the key: wait_ms
  std::string value;     // raw; escaped when written
};

template <class T> LogField kv(std::string_view key, const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return {key, std::string(std::string_view(value))};
  } else {
    return {key, fmt::format("{}", value)};
  }
}
LogField kv_error(const Error& error);  // error="…", the sentence

enum class LogLevel { kDebug, kInfo, kWarn, kError };
Result<LogLevel> parse_log_level(std::string_view text);

// Writes events with fields to standard error, one line each: `2026-11-20T22:25:06.123Z warn capture.gap session=…
// lost=12`. Event names are `noun.verb` and listed in docs/log-events.md. A value with a blank, quote, control or
// non-ASCII byte is quoted and escaped, so that foreign text cannot forge a line. Never pass terminal contents, tokens
// or keys. A copy shares the sink: loggers are passed by value. Thread-safe.
class Log {
 public:
  Log(std::string_view program, LogLevel level);

  // Of this logger and all its copies.
  void set_level(LogLevel level) const;

  template <class... F> void debug(std::string_view event, F&&... fields) const {
    write(LogLevel::kDebug, event, {std::forward<F>(fields)...});
  }
  template <class... F> void info(std::string_view event, F&&... fields) const {
    write(LogLevel::kInfo, event, {std::forward<F>(fields)...});
  }
  template <class... F> void warn(std::string_view event, F&&... fields) const {
    write(LogLevel::kWarn, event, {std::forward<F>(fields)...});
  }
  template <class... F> void error(std::string_view event, F&&... fields) const {
    write(LogLevel::kError, event, {std::forward<F>(fields)...});
  }

 private:
  void write(LogLevel level, std::string_view event, const std::vector<LogField>& fields) const;

  std::shared_ptr<spdlog::logger> sink_;
};

// `text` with quotes and C escapes when it needs them, as it stands otherwise. For log values and for anything foreign
// printed to a terminal.
std::string quoted_if_needed(std::string_view text);

}  // namespace cairn
