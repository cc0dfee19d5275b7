#include "cli/terminal/password.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

#include "base/file.h"
#include "base/unique_fd.h"
#include "cli/terminal/terminal_modes.h"

namespace cairn::cli {
namespace {

constexpr size_t kMaxPasswordBytes = 72;
constexpr size_t kMaxLineBytes = 4096;

// The bytes before the first line feed; read one by one, since what follows belongs to whoever reads next.
Result<std::string> read_line(int fd, const std::string& source) {
  std::string line;
  while (line.size() < kMaxLineBytes) {
    char byte = 0;
    const ssize_t got = ::read(fd, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(fmt::format("read the password from {}", source));
    if (got == 0 || byte == '\n') break;
    line += byte;
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

Result<std::string> checked(std::string password, const std::string& source) {
  if (password.empty()) return fail(Errc::kInvalid, fmt::format("no password came from {}", source));
  if (password.size() > kMaxPasswordBytes)
    return fail(Errc::kInvalid,
                fmt::format("the password has {} bytes; at most {} count", password.size(), kMaxPasswordBytes));
  return password;
}

Result<std::string> ask(const std::string& prompt) {
  const UniqueFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!terminal)
    return fail(Errc::kInvalid,
                "there is no terminal to ask for the password; give it with --password-stdin or CAIRN_PASSWORD_FILE");
  Result<TerminalModes> modes = TerminalModes::take(terminal.get(), TerminalModes::Kind::kNoEcho);
  if (!modes) return fail(modes);
  if (const Result<void> shown = write_all(terminal.get(), prompt); !shown) return fail(shown, "terminal");
  const Result<std::string> line = read_line(terminal.get(), "the terminal");
  (void)write_all(terminal.get(), "\n").has_value();  // the typed one was not echoed
  if (!line) return fail(line);
  return checked(*line, "the terminal");
}

}  // namespace

Result<std::string> read_password(bool from_stdin, const std::string& prompt) {
  if (from_stdin) {
    const Result<std::string> line = read_line(STDIN_FILENO, "standard input");
    if (!line) return fail(line);
    return checked(*line, "standard input");
  }
  if (const char* file = std::getenv("CAIRN_PASSWORD_FILE"); file != nullptr && *file != '\0') {
    const UniqueFd opened(::open(file, O_RDONLY | O_CLOEXEC));
    if (!opened) return fail_errno(fmt::format("CAIRN_PASSWORD_FILE: open {}", file));
    const Result<std::string> line = read_line(opened.get(), file);
    if (!line) return fail(line);
    return checked(*line, file);
  }
  return ask(prompt);
}

Result<std::string> read_new_password(bool from_stdin, const std::string& prompt) {
  Result<std::string> first = read_password(from_stdin, prompt);
  if (!first) return fail(first);
  const char* file = std::getenv("CAIRN_PASSWORD_FILE");
  if (from_stdin || (file != nullptr && *file != '\0')) return first;
  const Result<std::string> second = ask("Again: ");
  if (!second) return fail(second);
  if (*first != *second) return fail(Errc::kInvalid, "the two passwords differ; nothing was changed");
  return first;
}

}  // namespace cairn::cli
