#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "recorder/chunk.h"
#include "recorder/derive/sandbox.h"
#include "recorder/derive/sandboxed_process.h"
#include "recorder/html/page_parts.h"

namespace cairn::recorder {

struct PageRequest {
  std::optional<uint32_t> channel = {};  // as HtmlExport
  SandboxLimits limits{
      .cpu = std::chrono::seconds(600), .memory_bytes = uint64_t{4} << 30, .file_bytes = kMaxPageBytes};
  std::chrono::seconds patience{600};  // with which each event, and the end, are waited for
  std::filesystem::path program = "/proc/self/exe";
};

// An HtmlExport in a process of its own, which can do nothing else: what eats the terminal's bytes has no more of this
// host than its own memory. Once; one thread at a time; blocks.
class PageProcess {
 public:
  static Result<PageProcess> start(PageRequest request);

  //   fails  kTooLarge: as HtmlExport. Otherwise as SandboxedProcess::wait()
  Result<void> add(const Event& event);
  // What it made of all; its word for it is all there is.
  Result<PageParts> finish();

 private:
  PageProcess(PageRequest request, SandboxedProcess process, UniqueFd input, UniqueFd output)
      : request_(std::move(request)),
        process_(std::move(process)),
        input_(std::move(input)),
        output_(std::move(output)) {}
  Result<void> send(std::string_view bytes);

  PageRequest request_;
  SandboxedProcess process_;
  UniqueFd input_;
  UniqueFd output_;
};

// For main(), before anything else: this process is to make a page, and does nothing but run_as_page_process().
bool is_page_process(int argc, const char* const* argv);
[[noreturn]] void run_as_page_process();

}  // namespace cairn::recorder
