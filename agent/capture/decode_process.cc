#include "agent/capture/record_parts.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

constexpr uint32_t kMinorBits = 20;  // dev_t inside the kernel: include/linux/kdev_t.h

void set_argv(std::string_view argv, recording::v1::Exec* to) {
  while (!argv.empty()) {
    const size_t end = argv.find('\0');
    to->add_argv(std::string(argv.substr(0, end)));
    argv.remove_prefix(end == std::string_view::npos ? argv.size() : end + 1);
  }
}

void set_image(const bpf::exec_event& from, recording::v1::Exec* to) {
  recording::v1::Credentials* credentials = to->mutable_credentials();
  credentials->set_euid(from.credentials.euid);
  credentials->set_egid(from.credentials.egid);
  credentials->set_permitted(from.credentials.permitted);
  credentials->set_effective(from.credentials.effective);
  credentials->set_securebits(from.credentials.securebits);
  recording::v1::Namespaces* namespaces = to->mutable_namespaces();
  namespaces->set_pid(from.namespaces.pid);
  namespaces->set_net(from.namespaces.net);
  namespaces->set_user(from.namespaces.user);
  namespaces->set_cgroup(from.namespaces.cgroup);
  to->set_tty_major(from.credentials.tty >> kMinorBits);
  to->set_tty_minor(from.credentials.tty & ((1U << kMinorBits) - 1));
  to->set_parent_start_boot_ns(from.parent_start_boot_ns);
  to->set_executable_ctime_ns(from.changed_ns);
}

}  // namespace

std::string_view decode_exec(std::string_view record, Event* event) {
  const auto from = read_struct<bpf::exec_event>(record);
  if (!from) return "shorter than an exec record";
  if (!is_result(from->result) || from->result > 0) return "result is none";
  Tail tail(record.substr(sizeof(*from)));
  recording::v1::Exec* to = event->mutable_exec();
  set_process(from->process, to->mutable_process());
  to->set_result(visible_result(from->result));
  if (from->result == 0) {
    if (!set_path(from->executable, &tail, to->mutable_executable())) return "executable's path";
    set_image(*from, to);
  }
  if (!set_path(from->cwd, &tail, to->mutable_cwd())) return "working directory's path";
  if (!tail.take_string(from->filename_bytes, to->mutable_filename())) return "filename";
  if (!tail.take_string(from->interpreter_bytes, to->mutable_interpreter())) return "interpreter";
  const std::optional<std::string_view> argv = tail.take(from->argv_bytes);
  if (!argv || !tail.is_empty()) return "argv";
  if (from->argv_bytes > from->argv_total_bytes) return "more argv than there is";
  set_argv(*argv, to);
  to->set_argv_bytes(from->argv_total_bytes);
  to->set_argv_truncated(from->argv_bytes < from->argv_total_bytes);
  to->set_script((from->flags & bpf::EXEC_SCRIPT) != 0);
  to->set_compat((from->flags & bpf::EXEC_COMPAT) != 0);
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
  to->set_user_ns(from->user_ns);
  to->set_system_ns(from->system_ns);
  to->set_read_bytes(from->read_bytes);
  to->set_written_bytes(from->written_bytes);
  to->set_max_rss_pages(from->max_rss_pages);
  return "";
}

}  // namespace cairn::agent
