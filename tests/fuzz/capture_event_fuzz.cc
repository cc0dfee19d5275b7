// A kernel record is written by our own BPF programs, but read from shared memory by root: decode_event() must take
// any.
#include <cstdint>
#include <cstring>
#include <string>

#include "agent/capture/event_decoder.h"
#include "bpf/events.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  constexpr uint64_t kKey = 1;
  std::string record(reinterpret_cast<const char*>(bytes), size);
  // The header's key, number and length are set right, so that the search goes on behind them.
  if (record.size() >= sizeof(cairn::bpf::event_header)) {
    cairn::bpf::event_header header;
    std::memcpy(&header, record.data(), sizeof(header));
    header.session_key = kKey;
    if (header.sequence == 0) header.sequence = 1;
    header.bytes = static_cast<uint32_t>(record.size());
    std::memcpy(record.data(), &header, sizeof(header));
  }
  const auto event = cairn::agent::decode_event(record, kKey);
  if (!event) static_cast<void>(cairn::agent::unreadable_event(record, kKey, 1));
  // What was made of it must be readable to whoever plays the recording.
  if (event && !cairn::recording::v1::Event().ParseFromString(event->SerializeAsString())) __builtin_trap();
  return 0;
}
