#include "agent/capture/noise_path.h"

#include <algorithm>
#include <array>

namespace cairn::agent {
namespace {

constexpr std::array<std::string_view, 8> kLibraryFolders = {"/lib/",     "/lib32/",     "/lib64/",     "/libx32/",
                                                             "/usr/lib/", "/usr/lib32/", "/usr/lib64/", "/usr/libx32/"};
constexpr std::array<std::string_view, 7> kDataFolders = {
    "/usr/lib/locale/", "/usr/share/locale/",   "/usr/share/locale-langpack/", "/usr/share/zoneinfo/",
    "/lib/terminfo/",   "/usr/share/terminfo/", "/usr/lib/terminfo/"};
constexpr std::array<std::string_view, 3> kFiles = {"/etc/ld.so.cache", "/etc/localtime", "/etc/locale.alias"};

constexpr std::string_view kProcesses = "/proc/";
constexpr std::array<std::string_view, 6> kProcessListing = {"stat", "statm", "status", "cmdline", "comm", "wchan"};

bool is_below(std::string_view path, const auto& folders) {
  return std::ranges::any_of(folders, [&](std::string_view folder) { return path.starts_with(folder); });
}

// "libc.so.6", "gconv-modules.cache", but not "sudo/sudoers".
bool is_library(std::string_view path) {
  const std::string_view name = path.substr(path.find_last_of('/') + 1);
  return name.ends_with(".so") || name.find(".so.") != std::string_view::npos ||
         path.find("/gconv/") != std::string_view::npos;
}

}  // namespace

bool is_noise_path(std::string_view path) {
  return std::ranges::find(kFiles, path) != kFiles.end() || is_below(path, kDataFolders) ||
         (is_below(path, kLibraryFolders) && is_library(path));
}

std::string_view process_listing_name(std::string_view path) {
  if (!path.starts_with(kProcesses)) return {};
  path.remove_prefix(kProcesses.size());
  const size_t digits = std::min(path.find_first_not_of("0123456789"), path.size());
  if (digits == 0 || !path.substr(digits).starts_with('/')) return {};
  path.remove_prefix(digits + 1);
  return std::ranges::find(kProcessListing, path) != kProcessListing.end() ? path : std::string_view{};
}

}  // namespace cairn::agent
