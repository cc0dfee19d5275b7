#include "agent/capture/record_parts.h"

namespace cairn::agent {

std::string_view decode_tamper(std::string_view record, recording::v1::Event* event) {
  const auto from = read_struct<bpf::tamper_event>(record);
  if (!from) return "shorter than a tamper record";
  if (!is_result(from->result)) return "result is none";
  if (!recording::v1::TamperKind_IsValid(static_cast<int>(from->op))) return "of no known kind of tampering";
  Tail tail(record.substr(sizeof(*from)));
  recording::v1::Tamper* to = event->mutable_tamper();
  set_process(from->process, to->mutable_process());
  to->set_kind(static_cast<recording::v1::TamperKind>(from->op));
  to->set_detail(from->detail);
  to->set_target_pid(from->target_pid);
  to->set_target_start_boot_ns(from->target_start_boot_ns);
  to->set_target_outside((from->notes & bpf::TAMPER_TARGET_OUTSIDE) != 0);
  to->set_tainted((from->notes & bpf::TAMPER_TAINTED) != 0);
  to->set_result(visible_result(from->result));
  if (from->file.inode != 0 && !set_path(from->file, &tail, to->mutable_file())) return "path";
  if (!tail.take_string(from->text_bytes, to->mutable_text()) || !tail.is_empty()) return "text";
  return "";
}

}  // namespace cairn::agent
