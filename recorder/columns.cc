#include "recorder/columns.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

namespace cairn::recorder {
namespace {

using recording::v1::Columns;
using recording::v1::Process;

constexpr int kProcessesLookedBack = 8;
constexpr size_t kMaxProcessBytes = 256;
constexpr uint32_t kStreams = 4;

// An entry of Columns.kinds: the field number, and what else the event has.
constexpr uint32_t kLate = 1;
constexpr uint32_t kNumbered = 2;
constexpr uint32_t kDone = 4;  // by a process
constexpr uint32_t kCodes = 8;

// Calls `use` with the message of a kind of event that a process does.
template <class Use> void with_doer(Event& event, Use use) {
  switch (event.kind_case()) {
    case Event::kExec: return use(*event.mutable_exec());
    case Event::kOpen: return use(*event.mutable_open());
    case Event::kConnect: return use(*event.mutable_connect());
    case Event::kProcessExit: return use(*event.mutable_process_exit());
    case Event::kChange: return use(*event.mutable_change());
    case Event::kSocket: return use(*event.mutable_socket());
    case Event::kTamper: return use(*event.mutable_tamper());
    default: return;
  }
}

bool is_same(const Process& a, const Process& b) {
  return a.pid() == b.pid() && a.tid() == b.tid() && a.start_boot_ns() == b.start_boot_ns() &&
         a.exec_id() == b.exec_id() && a.parent_pid() == b.parent_pid() && a.uid() == b.uid() && a.gid() == b.gid() &&
         a.login_uid() == b.login_uid() && a.audit_session() == b.audit_session() &&
         a.mount_namespace() == b.mount_namespace() && a.injected() == b.injected() && a.comm() == b.comm();
}

uint32_t place_of(Process&& process, Columns& columns) {
  auto& table = *columns.mutable_processes();
  const int oldest = std::max(0, table.size() - kProcessesLookedBack);
  for (int i = table.size() - 1; i >= oldest; --i) {
    if (is_same(table[i], process)) return static_cast<uint32_t>(i);
  }
  *table.Add() = std::move(process);
  return static_cast<uint32_t>(table.size() - 1);
}

void add_output(Columns& columns, const recording::v1::TerminalOutput& output) {
  columns.add_output_targets(output.channel() * kStreams + static_cast<uint32_t>(output.stream()));
  columns.add_output_lengths(static_cast<uint32_t>(output.data().size()));
}

// The column of what was on the terminal, behind the others and past the message: most of all bytes, copied once.
void append_output(const Events& events, std::string& bytes) {
  uint32_t length = 0;
  for (const Event& event : events) length += static_cast<uint32_t>(event.output().data().size());
  if (length == 0) return;
  constexpr int kMaxVarintBytes = 5;
  unsigned char prefix[1 + kMaxVarintBytes];
  prefix[0] = Columns::kOutputFieldNumber << 3 | 2;  // a field of bytes
  unsigned char* const end = google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(length, prefix + 1);
  bytes.append(static_cast<const unsigned char*>(prefix), static_cast<const unsigned char*>(end));
  for (const Event& event : events) bytes.append(event.output().data());
}

// Kinds that are a column of messages.
void add_message(Columns& columns, Event& event) {
  switch (event.kind_case()) {
    case Event::kResize: *columns.add_resize() = std::move(*event.mutable_resize()); break;
    case Event::kChannelOpened: *columns.add_channel_opened() = std::move(*event.mutable_channel_opened()); break;
    case Event::kChannelClosed: *columns.add_channel_closed() = std::move(*event.mutable_channel_closed()); break;
    case Event::kExec: *columns.add_exec() = std::move(*event.mutable_exec()); break;
    case Event::kOpen: *columns.add_open() = std::move(*event.mutable_open()); break;
    case Event::kConnect: *columns.add_connect() = std::move(*event.mutable_connect()); break;
    case Event::kProcessExit: *columns.add_process_exit() = std::move(*event.mutable_process_exit()); break;
    case Event::kGap: *columns.add_gap() = std::move(*event.mutable_gap()); break;
    case Event::kAfterTerminal: *columns.add_after_terminal() = std::move(*event.mutable_after_terminal()); break;
    case Event::kChange: *columns.add_change() = std::move(*event.mutable_change()); break;
    case Event::kSocket: *columns.add_socket() = std::move(*event.mutable_socket()); break;
    case Event::kTamper: *columns.add_tamper() = std::move(*event.mutable_tamper()); break;
    case Event::kFolded: *columns.add_folded() = std::move(*event.mutable_folded()); break;
    case Event::kExecutableHash: *columns.add_executable_hash() = std::move(*event.mutable_executable_hash()); break;
    case Event::kClockStep: *columns.add_clock_step() = std::move(*event.mutable_clock_step()); break;
    case Event::kInput: *columns.add_input() = std::move(*event.mutable_input()); break;
    case Event::kJoin: *columns.add_join() = std::move(*event.mutable_join()); break;
    case Event::kMarker: *columns.add_marker() = std::move(*event.mutable_marker()); break;
    case Event::kForward: *columns.add_forward() = std::move(*event.mutable_forward()); break;
    case Event::kOutputNotKept: *columns.add_output_not_kept() = std::move(*event.mutable_output_not_kept()); break;
    default: break;  // Begin, Output, End and what is in no recording lie elsewhere
  }
}

// Takes a batch apart again; every column is read from its beginning to its end.
class Reader {
 public:
  explicit Reader(Columns columns) : columns_(std::move(columns)) {}

  Result<DecodedColumns> read() {
    DecodedColumns decoded;
    decoded.events.reserve(static_cast<size_t>(columns_.kinds_size()));
    for (const uint32_t code : columns_.kinds()) {
      Event event;
      if (!read_common(code, event)) return misfit();
      const Taken taken = read_kind(code / kCodes, event);
      if (taken == Taken::kMissing || !attach_process(code, event)) return misfit();
      if (taken == Taken::kUnknown) {
        ++decoded.unknown;
        continue;
      }
      decoded.events.push_back(std::move(event));
    }
    if (!is_used_up()) return misfit();
    return decoded;
  }

 private:
  enum class Taken { kRead, kUnknown, kMissing };

  static Failure misfit() { return fail(Errc::kCorrupt, "a batch of events whose columns do not fit one another"); }

  // Unsigned: a hostile sum may wrap.
  template <class Column> static bool next(const Column& column, int& at, uint64_t& value) {
    if (at == column.size()) return false;
    value += static_cast<uint64_t>(column[at++]);
    return true;
  }

  bool read_common(uint32_t code, Event& event) {
    if (code / kCodes == Event::kOutput) {
      if (!next(columns_.output_times(), output_time_, output_tick_)) return false;
      event.set_boot_ns(output_tick_ * kOutputTickNs);
    } else {
      if (!next(columns_.times_us(), time_, tick_)) return false;
      event.set_boot_ns(tick_ * kTickNs);
    }
    if ((code & kLate) != 0) event.set_late(true);
    if ((code & kNumbered) == 0) return true;
    if (!next(columns_.sequence(), sequence_, number_)) return false;
    event.set_kernel_seq(number_);
    return true;
  }

  bool attach_process(uint32_t code, Event& event) {
    if ((code & kDone) == 0) return true;
    if (process_ == columns_.process_of_size()) return false;
    const uint32_t place = columns_.process_of(process_++);
    if (place >= static_cast<uint32_t>(columns_.processes_size())) return false;
    const Process& process = columns_.processes(static_cast<int>(place));
    // Small, since any number of events may name it.
    if (process.ByteSizeLong() > kMaxProcessBytes) return false;
    with_doer(event, [&process](auto& message) { *message.mutable_process() = process; });
    return true;
  }

  bool read_output(Event& event) {
    if (output_ == columns_.output_targets_size() || output_ == columns_.output_lengths_size()) return false;
    const uint32_t target = columns_.output_targets(output_);
    const uint32_t length = columns_.output_lengths(output_++);
    if (length > columns_.output().size() - output_bytes_) return false;
    auto& output = *event.mutable_output();
    output.set_channel(target / kStreams);
    output.set_stream(static_cast<recording::v1::Stream>(target % kStreams));
    output.set_data(columns_.output().substr(output_bytes_, length));
    output_bytes_ += length;
    return true;
  }

  template <class Column, class Message> Taken take(uint32_t kind, Column& column, Message* message) {
    int& at = message_[kind];
    if (at == column.size()) return Taken::kMissing;
    *message = std::move(column[at++]);
    return Taken::kRead;
  }

  Taken read_kind(uint32_t kind, Event& event) {
    switch (kind) {
      case Event::kOutput: return read_output(event) ? Taken::kRead : Taken::kMissing;
      case Event::kResize: return take(kind, *columns_.mutable_resize(), event.mutable_resize());
      case Event::kChannelOpened: return take(kind, *columns_.mutable_channel_opened(), event.mutable_channel_opened());
      case Event::kChannelClosed: return take(kind, *columns_.mutable_channel_closed(), event.mutable_channel_closed());
      case Event::kExec: return take(kind, *columns_.mutable_exec(), event.mutable_exec());
      case Event::kOpen: return take(kind, *columns_.mutable_open(), event.mutable_open());
      case Event::kConnect: return take(kind, *columns_.mutable_connect(), event.mutable_connect());
      case Event::kProcessExit: return take(kind, *columns_.mutable_process_exit(), event.mutable_process_exit());
      case Event::kGap: return take(kind, *columns_.mutable_gap(), event.mutable_gap());
      case Event::kAfterTerminal: return take(kind, *columns_.mutable_after_terminal(), event.mutable_after_terminal());
      case Event::kChange: return take(kind, *columns_.mutable_change(), event.mutable_change());
      case Event::kSocket: return take(kind, *columns_.mutable_socket(), event.mutable_socket());
      case Event::kTamper: return take(kind, *columns_.mutable_tamper(), event.mutable_tamper());
      case Event::kFolded: return take(kind, *columns_.mutable_folded(), event.mutable_folded());
      case Event::kExecutableHash:
        return take(kind, *columns_.mutable_executable_hash(), event.mutable_executable_hash());
      case Event::kClockStep: return take(kind, *columns_.mutable_clock_step(), event.mutable_clock_step());
      case Event::kInput: return take(kind, *columns_.mutable_input(), event.mutable_input());
      case Event::kJoin: return take(kind, *columns_.mutable_join(), event.mutable_join());
      case Event::kMarker: return take(kind, *columns_.mutable_marker(), event.mutable_marker());
      case Event::kForward: return take(kind, *columns_.mutable_forward(), event.mutable_forward());
      case Event::kOutputNotKept:
        return take(kind, *columns_.mutable_output_not_kept(), event.mutable_output_not_kept());
      default: return Taken::kUnknown;
    }
  }

  // A column that says more than there are events hides something.
  bool is_used_up() const {
    int messages = 0;
    for (const int taken : message_) messages += taken;
    const int held = columns_.resize_size() + columns_.channel_opened_size() + columns_.channel_closed_size() +
                     columns_.exec_size() + columns_.open_size() + columns_.connect_size() +
                     columns_.process_exit_size() + columns_.gap_size() + columns_.after_terminal_size() +
                     columns_.change_size() + columns_.socket_size() + columns_.tamper_size() + columns_.folded_size() +
                     columns_.executable_hash_size() + columns_.clock_step_size() + columns_.input_size() +
                     columns_.join_size() + columns_.marker_size() + columns_.forward_size() +
                     columns_.output_not_kept_size();
    return messages == held && output_ == columns_.output_targets_size() && output_ == columns_.output_lengths_size() &&
           output_bytes_ == columns_.output().size() && time_ == columns_.times_us_size() &&
           output_time_ == columns_.output_times_size() && sequence_ == columns_.sequence_size() &&
           process_ == columns_.process_of_size();
  }

  Columns columns_;
  int time_ = 0;
  uint64_t tick_ = 0;
  int output_time_ = 0;
  uint64_t output_tick_ = 0;
  int sequence_ = 0;
  uint64_t number_ = 0;
  int process_ = 0;
  int output_ = 0;
  size_t output_bytes_ = 0;
  int message_[64] = {};  // by kind; those that are read are below it
};

}  // namespace

void append_columns(Events&& events, std::string& bytes) {
  Columns columns;
  int64_t last_tick = 0;
  int64_t last_output_tick = 0;
  int64_t last_number = 0;
  columns.mutable_kinds()->Reserve(static_cast<int>(events.size()));
  for (Event& event : events) {
    uint32_t code = static_cast<uint32_t>(event.kind_case()) * kCodes + (event.late() ? kLate : 0);
    if (event.kind_case() == Event::kOutput) {
      const auto tick = static_cast<int64_t>(event.boot_ns() / kOutputTickNs);
      columns.add_output_times(tick - std::exchange(last_output_tick, tick));
      add_output(columns, event.output());
    } else {
      const auto tick = static_cast<int64_t>(event.boot_ns() / kTickNs);
      columns.add_times_us(tick - std::exchange(last_tick, tick));
    }
    if (event.kernel_seq() != 0) {
      const auto number = static_cast<int64_t>(event.kernel_seq());
      columns.add_sequence(number - std::exchange(last_number, number));
      code |= kNumbered;
    }
    with_doer(event, [&](auto& message) {
      if (!message.has_process()) return;
      columns.add_process_of(place_of(std::move(*message.mutable_process()), columns));
      message.clear_process();
      code |= kDone;
    });
    columns.add_kinds(code);
    add_message(columns, event);
  }
  columns.AppendToString(&bytes);
  append_output(events, bytes);
}

Result<DecodedColumns> decode_columns(std::string_view bytes) {
  Columns columns;
  if (!columns.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Errc::kCorrupt, "a batch of events that cannot be read");
  }
  return Reader(std::move(columns)).read();
}

}  // namespace cairn::recorder
