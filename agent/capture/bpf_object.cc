#include "agent/capture/bpf_object.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include "agent/capture/kernel_types.h"
#include "agent/capture/libbpf_log.h"
#include "agent/capture/pins.h"
#include "base/free_with.h"
#include "base/unique_fd.h"

namespace cairn::agent {
namespace {

using BpfObject = std::unique_ptr<bpf_object, FreeWith<bpf_object__close>>;
using BpfLink = std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>;

// The object, its maps sized for this host, nothing loaded.
Result<BpfObject> open_object(const Tier& tier) {
  BpfObject object(bpf_object__open_mem(tier.object.data(), tier.object.size(), nullptr));
  if (!object) return fail_errno(fmt::format("read the BPF object of tier {}", tier.name));
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return fail_errno(-cpus, "count CPUs");
  bpf_map* map = bpf_object__find_map_by_name(object.get(), kScratchMap);
  if (map == nullptr) return fail(Errc::kInternal, fmt::format("tier {} has no map {}", tier.name, kScratchMap));
  bpf_map__set_max_entries(map, static_cast<uint32_t>(cpus * kScratchPerCpu));
  return object;
}

bpf_program* find_program(const BpfObject& object, std::string_view name) {
  return bpf_object__find_program_by_name(object.get(), std::string(name).c_str());
}

std::string reason_of(int errno_value, const LibbpfWarnings& warnings) {
  const std::string said = warnings.reason();
  return said.empty() ? std::strerror(errno_value) : fmt::format("{} ({})", std::strerror(errno_value), said);
}

// Tracepoints alone need no cgroup; a datagram hook sees the whole host from the root of cgroup2.
Result<BpfLink> attach(bpf_program* program) {
  if (bpf_program__type(program) != BPF_PROG_TYPE_CGROUP_SOCK_ADDR) {
    BpfLink link(bpf_program__attach(program));
    if (!link) return fail_errno(fmt::format("attach {}", bpf_program__name(program)));
    return link;
  }
  const std::optional<std::filesystem::path> root = cgroup2_root();
  if (!root) return fail_errno(ENODEV, "no cgroup2 is mounted");
  const UniqueFd cgroup(::open(root->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup) return fail_errno(root->string());
  BpfLink link(bpf_program__attach_cgroup(program, cgroup.get()));
  if (!link) return fail_errno(fmt::format("attach {} to {}", bpf_program__name(program), root->string()));
  return link;
}

// Only these are loaded.
void select(const BpfObject& object, const std::vector<std::string_view>& programs) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    bpf_program__set_autoload(program, std::ranges::find(programs, bpf_program__name(program)) != programs.end());
  }
}

// Loads one program alone and says why the kernel refuses it; nullopt when it does not.
std::optional<std::string> refusal(const Tier& tier, std::string_view name) {
  const LibbpfWarnings warnings;
  Result<BpfObject> object = open_object(tier);
  if (!object) return object.error().message;
  select(*object, {name});
  if (const int failed = bpf_object__load(object->get()); failed != 0) return reason_of(-failed, warnings);
  const Result<BpfLink> link = attach(find_program(*object, name));
  if (!link) return link.error().message;
  return std::nullopt;
}

// Those whose tracepoint the kernel has in the shape that they are written for.
Result<std::vector<const Program*>> applicable(const Tier& tier) {
  const KernelTypes types;
  std::vector<const Program*> programs;
  for (const Program& program : tier.programs) {
    const int parameters = program.tracepoint.empty() ? 0 : types.tracepoint_parameters(program.tracepoint);
    const bool has_function =
        program.function.empty() || program.name == tier.trial || types.has_function(program.function);
    if (!has_function || parameters < 0 || (program.parameters != 0 && parameters != program.parameters)) continue;
    programs.push_back(&program);
  }
  return programs;
}

// One trial per program: a load of all stops at the first.
Failure explain_refusal(const Tier& tier, const std::vector<const Program*>& programs, const std::string& whole) {
  std::vector<std::pair<std::string, std::string>> by_reason;  // reason, programs
  for (const Program* candidate : programs) {
    if (candidate->is_optional) continue;
    const std::string_view program = candidate->name;
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
  if (by_reason.empty()) sentence += fmt::format(" {} for all programs together", whole);
  for (const auto& [reason, programs] : by_reason) sentence += fmt::format(" [{}] {};", programs, reason);
  if (sentence.back() == ';') sentence.pop_back();
  return fail(Errc::kUnsupported, std::move(sentence));
}

struct Attached {
  BpfObject object;
  std::vector<std::pair<const Program*, BpfLink>> links;
};

Result<Attached> load_and_attach(const Tier& tier, const std::vector<const Program*>& programs) {
  Result<BpfObject> object = open_object(tier);
  if (!object) return fail(object);
  std::vector<std::string_view> names;
  for (const Program* program : programs) names.push_back(program->name);
  select(*object, names);
  if (const int failed = bpf_object__load(object->get()); failed != 0) {
    return fail(Errc::kUnsupported, std::strerror(-failed));
  }
  Attached attached{.object = *std::move(object), .links = {}};
  for (const Program* program : programs) {
    bpf_program* loaded = find_program(attached.object, program->name);
    if (loaded == nullptr) {
      return fail(Errc::kInternal, fmt::format("tier {} has no program {}", tier.name, program->name));
    }
    Result<BpfLink> link = attach(loaded);
    if (!link) return fail(Errc::kUnsupported, link.error().message);
    attached.links.emplace_back(program, *std::move(link));
  }
  return attached;
}

// With all programs, or else without the optional ones that the kernel refuses by themselves.
Result<Attached> load_by_trial(const Tier& tier, std::vector<const Program*> programs) {
  Result<Attached> attached = load_and_attach(tier, programs);
  if (attached || attached.error().code != Errc::kUnsupported) return attached;
  const size_t refused = std::erase_if(
      programs, [&](const Program* program) { return program->is_optional && refusal(tier, program->name); });
  return refused == 0 ? std::move(attached) : load_and_attach(tier, programs);
}

Result<void> pin_all(const Tier& tier, const Attached& attached, const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0) return fail_errno(folder.string());
  for (const char* name : tier.pinned_maps()) {
    const bpf_map* map = bpf_object__find_map_by_name(attached.object.get(), name);
    if (map == nullptr) return fail(Errc::kInternal, fmt::format("tier {} has no map {}", tier.name, name));
    if (const int failed = bpf_map__pin(const_cast<bpf_map*>(map), (folder / name).c_str()); failed != 0) {
      return fail_errno(-failed, fmt::format("pin map {}", name));
    }
  }
  for (const auto& [program, link] : attached.links) {
    const int failed = program->is_on_demand ? bpf_program__pin(find_program(attached.object, program->name),
                                                                (folder / on_demand_pin(*program)).c_str())
                                             : bpf_link__pin(link.get(), (folder / program->name).c_str());
    if (failed != 0) return fail_errno(-failed, fmt::format("pin program {}", program->name));
  }
  return {};
}

}  // namespace

Result<void> load_and_pin(const Tier& tier, const std::filesystem::path& pins) {
  if (!tier.trial.empty()) {
    if (const std::optional<std::string> refused = refusal(tier, tier.trial)) {
      return fail(Errc::kUnsupported, fmt::format("tier {}: [{}] {}", tier.name, tier.trial, *refused));
    }
  }
  const Result<std::vector<const Program*>> programs = applicable(tier);
  if (!programs) return fail(programs);
  const Result<Attached> attached = load_by_trial(tier, *programs);
  if (!attached) {
    if (attached.error().code != Errc::kUnsupported) return fail(attached);
    return explain_refusal(tier, *programs, attached.error().message);
  }

  // A supervisor killed between two pins leaves a folder under this name, which the next one clears away.
  const std::filesystem::path partial = pins.string() + std::string(kPartialSuffix);
  Result<void> done = remove_pins(partial);
  if (done) done = pin_all(tier, *attached, partial);
  if (done && std::rename(partial.c_str(), pins.c_str()) != 0) done = fail_errno(fmt::format("name {}", pins.string()));
  if (done) return {};
  if (Result<void> removed = remove_pins(partial); !removed) return fail(removed);
  return fail(done, fmt::format("pin tier {}", tier.name));
}

}  // namespace cairn::agent
