#include <fcntl.h>

#include "agent/capture/record_parts.h"
#include "agent/capture/sensitive_path.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

std::string_view last_component(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path.substr(path.find_last_of('/') + 1);
}

// A claimed path names a file by its last component, unless that is "." or "..", or it goes through a symbolic link.
bool differs(std::string_view claimed, std::string_view resolved) {
  const std::string_view name = last_component(claimed);
  return !name.empty() && name != "." && name != ".." && name != last_component(resolved);
}

recording::v1::OpenWay way_of(uint32_t notes) {
  if ((notes & bpf::OPEN_RECEIVED) != 0) return recording::v1::OPEN_WAY_RECEIVED;
  if ((notes & bpf::OPEN_BY_URING) != 0) return recording::v1::OPEN_WAY_URING;
  if ((notes & bpf::OPEN_BY_HANDLE) != 0) return recording::v1::OPEN_WAY_HANDLE;
  return recording::v1::OPEN_WAY_CALL;
}

bool may_write(const recording::v1::Open& open) {
  return (open.flags() & O_ACCMODE) != O_RDONLY && (open.flags() & O_PATH) == 0;
}

bool set_changed(const bpf::event_path& from, Tail* tail, recording::v1::ChangedPath* to) {
  if ((from.flags & bpf::PATH_BASE) != 0) return set_path(from, tail, to->mutable_base());
  return from.inode == 0 || set_path(from, tail, to->mutable_object());
}

}  // namespace

std::string_view decode_open(std::string_view record, Event* event) {
  const auto from = read_struct<bpf::open_event>(record);
  if (!from) return "shorter than an open record";
  if (!is_result(from->result)) return "result is none";
  Tail tail(record.substr(sizeof(*from)));
  recording::v1::Open* to = event->mutable_open();
  set_process(from->process, to->mutable_process());
  to->set_result(visible_result(from->result));
  to->set_flags(from->flags);
  to->set_mode(from->mode);
  to->set_way(way_of(from->notes));
  to->set_claimed_unreadable((from->notes & bpf::OPEN_CLAIMED_UNREADABLE) != 0);
  to->set_claimed_cut((from->notes & bpf::OPEN_CLAIMED_CUT) != 0);
  to->set_direct((from->notes & bpf::OPEN_DIRECT) != 0);
  to->set_created((from->notes & bpf::OPEN_CREATED) != 0);
  to->set_compat((from->notes & bpf::OPEN_COMPAT) != 0);
  // A successful open without a file: another thread had closed the descriptor before the kernel's program looked.
  const bool is_base = (from->file.flags & bpf::PATH_BASE) != 0;
  if (from->file.inode != 0 && !set_path(from->file, &tail, is_base ? to->mutable_base() : to->mutable_file())) {
    return "path";
  }
  if (!tail.take_string(from->claimed_bytes, to->mutable_claimed_path()) || !tail.is_empty()) return "claimed path";
  if (to->has_file()) {
    to->set_differs(differs(to->claimed_path(), to->file().path()));
    if (may_write(*to)) to->set_sensitive(sensitivity_of(to->file().path()));
  }
  return "";
}

std::string_view decode_change(std::string_view record, Event* event) {
  const auto from = read_struct<bpf::change_event>(record);
  if (!from) return "shorter than a change record";
  if (!is_result(from->result)) return "result is none";
  if (!recording::v1::ChangeKind_IsValid(static_cast<int>(from->op))) return "of no known change";
  Tail tail(record.substr(sizeof(*from)));
  recording::v1::Change* to = event->mutable_change();
  set_process(from->process, to->mutable_process());
  to->set_kind(static_cast<recording::v1::ChangeKind>(from->op));
  to->set_result(visible_result(from->result));
  to->set_mode(from->mode);
  to->set_uid(from->uid);
  to->set_gid(from->gid);
  to->set_length(from->length);
  if (!set_changed(from->first, &tail, to->mutable_file())) return "first path";
  if (!set_changed(from->second, &tail, to->mutable_target())) return "second path";
  if (!tail.take_string(from->claimed_first_bytes, to->mutable_file()->mutable_claimed())) return "first claimed path";
  if (!tail.take_string(from->claimed_second_bytes, to->mutable_target()->mutable_claimed()) || !tail.is_empty()) {
    return "second claimed path";
  }
  if (to->target().claimed().empty() && !to->target().has_object() && !to->target().has_base()) to->clear_target();
  return "";
}

}  // namespace cairn::agent
