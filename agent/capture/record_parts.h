#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "bpf/events.h"
#include "proto/recording.pb.h"

// What the decoders of kernel records share. Records are not trusted: every length is checked before it is used.
namespace cairn::agent {

template <class T> std::optional<T> read_struct(std::string_view record) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (record.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, record.data(), sizeof(T));
  return value;
}

// Takes the parts of a record's tail in their order.
class Tail {
 public:
  explicit Tail(std::string_view bytes) : rest_(bytes) {}

  // nullopt: the record ends before it.
  std::optional<std::string_view> take(size_t bytes) {
    if (bytes > rest_.size()) return std::nullopt;
    const std::string_view part = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return part;
  }
  // A part that ends with NUL, or is empty, without it. False: the record ends before it.
  bool take_string(size_t bytes, std::string* to) {
    const std::optional<std::string_view> part = take(bytes);
    if (part) to->assign(part->substr(0, part->find('\0')));
    return part.has_value();
  }
  bool is_empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::string_view until_nul(std::string_view bytes);

// What the caller saw of a result: the kernel's own restart codes are EINTR to it.
int32_t visible_result(int32_t result);
// 0, a positive value, or a negative errno.
bool is_result(int32_t result);

void set_process(const bpf::event_process& from, recording::v1::Process* to);

// False: the part is missing or broken.
bool set_path(const bpf::event_path& from, Tail* tail, recording::v1::KernelPath* to);

// Each decodes one kind's body into `event` and returns "" or what is wrong with it.
std::string_view decode_exec(std::string_view record, recording::v1::Event* event);
std::string_view decode_exit(std::string_view record, recording::v1::Event* event);
std::string_view decode_open(std::string_view record, recording::v1::Event* event);
std::string_view decode_change(std::string_view record, recording::v1::Event* event);
std::string_view decode_connect(std::string_view record, recording::v1::Event* event);
std::string_view decode_socket(std::string_view record, recording::v1::Event* event);
std::string_view decode_tamper(std::string_view record, recording::v1::Event* event);

}  // namespace cairn::agent
