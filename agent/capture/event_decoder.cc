#include "agent/capture/event_decoder.h"

#include <optional>

#include <fmt/format.h>

#include "agent/capture/record_parts.h"
#include "bpf/events.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

std::string_view decode_body(uint32_t kind, std::string_view record, Event* event) {
  switch (kind) {
    case bpf::EVENT_EXEC: return decode_exec(record, event);
    case bpf::EVENT_OPEN: return decode_open(record, event);
    case bpf::EVENT_CONNECT: return decode_connect(record, event);
    case bpf::EVENT_EXIT: return decode_exit(record, event);
    case bpf::EVENT_CHANGE: return decode_change(record, event);
    case bpf::EVENT_SOCKET: return decode_socket(record, event);
    case bpf::EVENT_TAMPER: return decode_tamper(record, event);
    default: return "of no known kind";
  }
}

// The header, when it can be believed.
std::optional<bpf::event_header> read_header(std::string_view record, uint64_t session_key) {
  const auto header = read_struct<bpf::event_header>(record);
  if (!header || header->session_key != session_key || header->sequence == 0) return std::nullopt;
  return header;
}

}  // namespace

Result<Event> decode_event(std::string_view record, uint64_t session_key) {
  const std::optional<bpf::event_header> header = read_header(record, session_key);
  if (!header) {
    return fail(Errc::kInvalid, fmt::format("kernel record of {} bytes: no header of this session", record.size()));
  }
  Event event;
  event.set_boot_ns(header->boot_ns);
  event.set_kernel_seq(header->sequence);
  std::string_view wrong = "its length is not what it says";
  if (header->bytes == record.size()) wrong = decode_body(header->kind, record, &event);
  if (!wrong.empty()) {
    return fail(Errc::kInvalid, fmt::format("kernel record {} of {} bytes, kind {}: {}", header->sequence,
                                            record.size(), header->kind, wrong));
  }
  return event;
}

Event unreadable_event(std::string_view record, uint64_t session_key, uint64_t now_boot_ns) {
  Event event;
  event.set_boot_ns(now_boot_ns);
  recording::v1::Gap* gap = event.mutable_gap();
  gap->set_reason(recording::v1::GAP_REASON_UNREADABLE);
  if (const std::optional<bpf::event_header> header = read_header(record, session_key)) {
    event.set_boot_ns(header->boot_ns);
    gap->set_from_seq(header->sequence);
    gap->set_to_seq(header->sequence);
    gap->set_count(1);
  }
  return event;
}

}  // namespace cairn::agent
