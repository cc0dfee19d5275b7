#include "agent/capture/bpf_object.h"

#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include "agent/capture/libbpf_log.h"
#include "agent/capture/pins.h"

namespace cairn::agent {
namespace {

template <auto Free> struct Deleter {
  void operator()(auto* owned) const noexcept { Free(owned); }
};
using BpfObject = std::unique_ptr<bpf_object, Deleter<bpf_object__close>>;
using BpfLink = std::unique_ptr<bpf_link, Deleter<bpf_link__destroy>>;

// The object, its maps sized for this host, nothing loaded.
Result<BpfObject> open_object(const Tier& tier) {
  BpfObject object(bpf_object__open_mem(tier.object.data(), tier.object.size(), nullptr));
  if (!object) return fail_errno(fmt::format("read the BPF object of tier {}", tier.name));
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return fail_errno(-cpus, "count CPUs");
  for (const char* name : kScratchMaps) {
    bpf_map* map = bpf_object__find_map_by_name(object.get(), name);
    if (map == nullptr) return fail(Errc::kInternal, fmt::format("tier {} has no map {}", tier.name, name));
    bpf_map__set_max_entries(map, static_cast<uint32_t>(cpus * kScratchPerCpu));
  }
  return object;
}

bpf_program* find_program(const BpfObject& object, std::string_view name) {
  return bpf_object__find_program_by_name(object.get(), std::string(name).c_str());
}

std::string reason_of(int errno_value, const LibbpfWarnings& warnings) {
  const std::string said = warnings.reason();
  return said.empty() ? std::strerror(errno_value) : fmt::format("{} ({})", std::strerror(errno_value), said);
}

// Loads one program alone and says why the kernel refuses it; nullopt when it does not.
std::optional<std::string> refusal(const Tier& tier, std::string_view name) {
  const LibbpfWarnings warnings;
  Result<BpfObject> object = open_object(tier);
  if (!object) return object.error().message;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object->get()) {
    bpf_program__set_autoload(program, name == bpf_program__name(program));
  }
  if (const int failed = bpf_object__load(object->get()); failed != 0) return reason_of(-failed, warnings);
  const BpfLink link(bpf_program__attach(find_program(*object, name)));
  if (!link) return reason_of(errno, warnings);
  return std::nullopt;
}

// One trial per program: a load of all stops at the first.
Failure explain_refusal(const Tier& tier, int errno_value) {
  std::vector<std::pair<std::string, std::string>> by_reason;  // reason, programs
  for (const std::string_view program : tier.programs) {
    const std::optional<std::string> reason = refusal(tier, program);
    if (!reason) continue;
    auto same = by_reason.begin();
    while (same != by_reason.end() && same->first != *reason) ++same;
    if (same == by_reason.end()) {
      by_reason.emplace_back(*reason, program);
    } else {
      same->second += fmt::format(", {}", program);
    }
  }
  std::string sentence = fmt::format("tier {}:", tier.name);
  if (by_reason.empty()) sentence += fmt::format(" {} for all programs together", std::strerror(errno_value));
  for (const auto& [reason, programs] : by_reason) sentence += fmt::format(" [{}] {};", programs, reason);
  if (sentence.back() == ';') sentence.pop_back();
  return fail(Errc::kUnsupported, std::move(sentence));
}

Result<void> pin_all(const Tier& tier, const BpfObject& object, const std::vector<BpfLink>& links,
                     const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0) return fail_errno(folder.string());
  for (const char* name : kPinnedMaps) {
    const bpf_map* map = bpf_object__find_map_by_name(object.get(), name);
    if (map == nullptr) return fail(Errc::kInternal, fmt::format("tier {} has no map {}", tier.name, name));
    if (const int failed = bpf_map__pin(const_cast<bpf_map*>(map), (folder / name).c_str()); failed != 0) {
      return fail_errno(-failed, fmt::format("pin map {}", name));
    }
  }
  for (size_t i = 0; i < links.size(); ++i) {
    const std::filesystem::path pin = folder / tier.programs[i];
    if (const int failed = bpf_link__pin(links[i].get(), pin.c_str()); failed != 0) {
      return fail_errno(-failed, fmt::format("pin program {}", tier.programs[i]));
    }
  }
  return {};
}

}  // namespace

Result<void> load_and_pin(const Tier& tier, const std::filesystem::path& pins) {
  Result<BpfObject> object = open_object(tier);
  if (!object) return fail(object);
  if (const int failed = bpf_object__load(object->get()); failed != 0) return explain_refusal(tier, -failed);

  std::vector<BpfLink> links;
  for (const std::string_view name : tier.programs) {
    bpf_program* program = find_program(*object, name);
    if (program == nullptr) return fail(Errc::kInternal, fmt::format("tier {} has no program {}", tier.name, name));
    BpfLink link(bpf_program__attach(program));
    if (!link) return explain_refusal(tier, errno);
    links.push_back(std::move(link));
  }

  // A supervisor killed between two pins leaves a folder under this name, which the next one clears away.
  const std::filesystem::path partial = pins.string() + std::string(kPartialSuffix);
  Result<void> done = remove_pins(partial);
  if (done) done = pin_all(tier, *object, links, partial);
  if (done && std::rename(partial.c_str(), pins.c_str()) != 0) done = fail_errno(fmt::format("name {}", pins.string()));
  if (done) return {};
  if (Result<void> removed = remove_pins(partial); !removed) return fail(removed);
  return fail(done, fmt::format("pin tier {}", tier.name));
}

}  // namespace cairn::agent
