#include "agent/capture/event_decoder.h"

#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "bpf/events.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

// The kernel's own errno values, which no program sees: a call that a signal interrupted, to be restarted or not.
constexpr int kFirstRestart = 512;
constexpr int kLastRestart = 516;
constexpr int kEintr = 4;
constexpr int kMaxErrno = 4095;

// dev_t inside the kernel: include/linux/kdev_t.h.
constexpr uint32_t kMinorBits = 20;

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
  bool is_empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::string_view until_nul(std::string_view bytes) { return bytes.substr(0, bytes.find('\0')); }

int32_t visible_result(int32_t result) {
  return -result >= kFirstRestart && -result <= kLastRestart ? -kEintr : result;
}

bool is_result(int32_t result) { return result >= -kMaxErrno; }

void set_process(const bpf::event_process& from, recording::v1::Process* to) {
  to->set_pid(from.pid);
  to->set_tid(from.tid);
  to->set_parent_pid(from.parent_pid);
  to->set_uid(from.uid);
  to->set_gid(from.gid);
  to->set_start_boot_ns(from.start_boot_ns);
  // comm is bytes, a proto string is UTF-8: what is not ASCII would make the message unreadable elsewhere.
  for (const char c : until_nul({from.comm, sizeof(from.comm)})) *to->mutable_comm() += (c & 0x80) != 0 ? '?' : c;
  to->set_login_uid(from.login_uid);
  to->set_audit_session(from.audit_session);
}

// "passwd\0etc\0" → "/etc/passwd". Without its beginning it starts without a slash.
std::optional<std::string> join_reversed(std::string_view components, bool is_complete) {
  if (components.empty()) return is_complete ? "/" : "";
  if (components.back() != '\0') return std::nullopt;
  std::string path;
  path.reserve(components.size());
  while (!components.empty()) {
    components.remove_suffix(1);
    const size_t before = components.find_last_of('\0');
    const size_t start = before == std::string_view::npos ? 0 : before + 1;
    if (is_complete || !path.empty()) path += '/';
    path += components.substr(start);
    components = components.substr(0, start);
  }
  return path;
}

// False: the part is missing or broken.
bool set_path(const bpf::event_path& from, Tail* tail, recording::v1::KernelPath* to) {
  const std::optional<std::string_view> components = tail->take(from.bytes);
  if (!components || from.bytes > bpf::EVENT_PATH_MAX + bpf::EVENT_NAME_MAX) return false;
  const bool is_complete = (from.flags & bpf::PATH_COMPLETE) != 0;
  if ((from.flags & bpf::PATH_UNNAMED) != 0) {
    to->set_path(fmt::format("{}:[{}]", until_nul(*components), from.inode));  // as /proc/PID/fd shows a pipe
  } else {
    std::optional<std::string> path = join_reversed(*components, is_complete);
    if (!path) return false;
    to->set_path(*std::move(path));
  }
  to->set_complete(is_complete);
  to->set_inode(from.inode);
  to->set_device_major(from.device >> kMinorBits);
  to->set_device_minor(from.device & ((1U << kMinorBits) - 1));
  return true;
}

void set_argv(std::string_view argv, recording::v1::Exec* to) {
  while (!argv.empty()) {
    const size_t end = argv.find('\0');
    to->add_argv(std::string(argv.substr(0, end)));
    argv.remove_prefix(end == std::string_view::npos ? argv.size() : end + 1);
  }
}

// Each returns "" or what is wrong.
std::string_view decode_exec(std::string_view record, Event* event) {
  const auto from = read_struct<bpf::exec_event>(record);
  if (!from) return "shorter than an exec record";
  if (!is_result(from->result) || from->result > 0) return "result is none";
  Tail tail(record.substr(sizeof(*from)));
  recording::v1::Exec* to = event->mutable_exec();
  set_process(from->process, to->mutable_process());
  to->set_result(visible_result(from->result));
  if (from->result == 0 && !set_path(from->executable, &tail, to->mutable_executable())) return "executable's path";
  if (!set_path(from->cwd, &tail, to->mutable_cwd())) return "working directory's path";
  const std::optional<std::string_view> filename = tail.take(from->filename_bytes);
  if (!filename) return "filename";
  to->set_filename(std::string(until_nul(*filename)));
  const std::optional<std::string_view> argv = tail.take(from->argv_bytes);
  if (!argv || !tail.is_empty()) return "argv";
  if (from->argv_bytes > from->argv_total_bytes) return "more argv than there is";
  set_argv(*argv, to);
  to->set_argv_bytes(from->argv_total_bytes);
  to->set_argv_truncated(from->argv_bytes < from->argv_total_bytes);
  return "";
}

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
  to->set_claimed_unreadable((from->notes & bpf::OPEN_CLAIMED_UNREADABLE) != 0);
  // A successful open without a file: another thread had closed the descriptor before the kernel's program looked.
  if (from->result >= 0 && from->file.inode != 0 && !set_path(from->file, &tail, to->mutable_file())) return "path";
  const std::optional<std::string_view> claimed = tail.take(from->claimed_bytes);
  if (!claimed || !tail.is_empty()) return "claimed path";
  to->set_claimed_path(std::string(until_nul(*claimed)));
  return "";
}

std::string_view decode_connect(std::string_view record, Event* event) {
  const auto from = read_struct<bpf::connect_event>(record);
  if (!from || record.size() != sizeof(*from)) return "not of a connect record's size";
  if (from->family != 4 && from->family != 6) return "address family";
  if (from->phase != bpf::CONNECT_ATTEMPT && from->phase != bpf::CONNECT_RESULT) return "phase";
  if (!is_result(from->result) || from->result > 0) return "result is none";
  const size_t address_bytes = from->family == 4 ? 4 : 16;
  const auto address = [&](const unsigned char* bytes) {
    return std::string(reinterpret_cast<const char*>(bytes), address_bytes);
  };
  recording::v1::Connect* to = event->mutable_connect();
  set_process(from->process, to->mutable_process());
  to->set_phase(from->phase == bpf::CONNECT_ATTEMPT ? recording::v1::CONNECT_PHASE_ATTEMPT
                                                    : recording::v1::CONNECT_PHASE_RESULT);
  to->set_socket_cookie(from->socket_cookie);
  to->set_family(from->family);
  to->set_remote_address(address(from->remote_address));
  to->set_remote_port(ntohs(from->remote_port));
  to->set_local_port(ntohs(from->local_port));
  const std::string local = address(from->local_address);
  if (local.find_first_not_of('\0') != std::string::npos) to->set_local_address(local);
  to->set_result(from->result);
  return "";
}

std::string_view decode_exit(std::string_view record, Event* event) {
  const auto from = read_struct<bpf::exit_event>(record);
  if (!from || record.size() != sizeof(*from)) return "not of an exit record's size";
  recording::v1::ProcessExit* to = event->mutable_process_exit();
  set_process(from->process, to->mutable_process());
  to->set_exit_status(from->wait_status >> 8 & 0xff);
  to->set_exit_signal(from->wait_status & 0x7f);
  to->set_core_dumped((from->wait_status & 0x80) != 0);
  return "";
}

std::string_view decode_body(uint32_t kind, std::string_view record, Event* event) {
  switch (kind) {
    case bpf::EVENT_EXEC: return decode_exec(record, event);
    case bpf::EVENT_OPEN: return decode_open(record, event);
    case bpf::EVENT_CONNECT: return decode_connect(record, event);
    case bpf::EVENT_EXIT: return decode_exit(record, event);
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
