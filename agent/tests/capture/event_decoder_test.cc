#include "agent/capture/event_decoder.h"

#include <arpa/inet.h>

#include <cerrno>
#include <cstring>
#include <random>

#include <gmock/gmock.h>

#include "bpf/events.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kKey = 0x1122334455667788;
using namespace std::string_literals;

template <class T> T made(uint32_t kind) {
  T record{};
  record.header.boot_ns = 5'000'000'000;
  record.header.session_key = kKey;
  record.header.sequence = 7;
  record.header.kind = kind;
  record.process.pid = 100;
  record.process.tid = 101;
  record.process.parent_pid = 99;
  record.process.uid = 1000;
  record.process.gid = 1001;
  record.process.login_uid = 1000;
  record.process.audit_session = 0xffffffff;
  record.process.start_boot_ns = 4'000'000'000;
  std::strcpy(record.process.comm, "bash");
  return record;
}

template <class T> std::string bytes_of(T record, const std::string& tail = "") {
  record.header.bytes = static_cast<uint32_t>(sizeof(T) + tail.size());
  return std::string(reinterpret_cast<const char*>(&record), sizeof(T)) + tail;
}

bpf::event_path path_of(const std::string& components, uint32_t flags = bpf::PATH_COMPLETE) {
  return {.inode = 42,
          .device = (8U << 20) | 3U,
          .links = 1,
          .bytes = static_cast<uint32_t>(components.size()),
          .own_bytes = static_cast<uint32_t>(components.size()),
          .beyond_bytes = 0,
          .flags = flags};
}

const std::string kPasswd = "passwd\0etc\0"s;

std::string open_record(const std::string& components = kPasswd, const std::string& claimed = "../etc/passwd\0"s,
                        uint32_t path_flags = bpf::PATH_COMPLETE) {
  auto record = made<bpf::open_event>(bpf::EVENT_OPEN);
  record.file = path_of(components, path_flags);
  record.claimed_bytes = static_cast<uint32_t>(claimed.size());
  record.flags = 0101;
  record.mode = 0644;
  record.result = 3;
  return bytes_of(record, components + claimed);
}

std::string exec_record(const std::string& argv = "sh\0-c\0\0"s, uint64_t argv_total = 7) {
  auto record = made<bpf::exec_event>(bpf::EVENT_EXEC);
  const std::string executable = "dash\0bin\0usr\0"s;
  const std::string cwd = "tmp\0"s;
  const std::string filename = "/bin/sh\0"s;
  record.executable = path_of(executable);
  record.cwd = path_of(cwd);
  record.filename_bytes = static_cast<uint32_t>(filename.size());
  record.argv_bytes = static_cast<uint32_t>(argv.size());
  record.argv_total_bytes = argv_total;
  return bytes_of(record, executable + cwd + filename + argv);
}

std::string connect_record() {
  auto record = made<bpf::connect_event>(bpf::EVENT_CONNECT);
  record.family = 4;
  record.phase = bpf::CONNECT_RESULT;
  record.result = -ECONNREFUSED;
  record.socket_cookie = 77;
  record.remote_port = htons(443);
  record.remote_address[0] = 192;
  record.remote_address[3] = 1;
  return bytes_of(record);
}

std::string exit_record() {
  auto record = made<bpf::exit_event>(bpf::EVENT_EXIT);
  record.wait_status = 0x8b;  // SIGSEGV, core dumped
  return bytes_of(record);
}

Event decoded(const std::string& record) {
  Result<Event> event = decode_event(record, kKey);
  EXPECT_TRUE(event) << event.error().message;
  return event ? *event : Event();
}

TEST(KernelRecord, OfAnOpenBecomesAnOpenEvent) {
  const Event event = decoded(open_record());
  EXPECT_EQ(event.boot_ns(), 5'000'000'000U);
  EXPECT_EQ(event.kernel_seq(), 7U);
  EXPECT_EQ(event.open().file().path(), "/etc/passwd");
  EXPECT_TRUE(event.open().file().complete());
  EXPECT_EQ(event.open().file().inode(), 42U);
  EXPECT_EQ(event.open().file().device_major(), 8U);
  EXPECT_EQ(event.open().file().device_minor(), 3U);
  EXPECT_EQ(event.open().claimed_path(), "../etc/passwd");
  EXPECT_EQ(event.open().flags(), 0101U);
  EXPECT_EQ(event.open().mode(), 0644U);
  EXPECT_EQ(event.open().result(), 3);
  EXPECT_EQ(event.open().process().pid(), 100U);
  EXPECT_EQ(event.open().process().tid(), 101U);
  EXPECT_EQ(event.open().process().parent_pid(), 99U);
  EXPECT_EQ(event.open().process().uid(), 1000U);
  EXPECT_EQ(event.open().process().gid(), 1001U);
  EXPECT_EQ(event.open().process().login_uid(), 1000U);
  EXPECT_EQ(event.open().process().audit_session(), 0xffffffffU);
  EXPECT_EQ(event.open().process().comm(), "bash");
}

TEST(KernelRecord, OfAnExecBecomesAnExecEvent) {
  const Event event = decoded(exec_record());
  EXPECT_EQ(event.exec().executable().path(), "/usr/bin/dash");
  EXPECT_EQ(event.exec().cwd().path(), "/tmp");
  EXPECT_EQ(event.exec().filename(), "/bin/sh");
  EXPECT_THAT(event.exec().argv(), ElementsAre("sh", "-c", ""));
  EXPECT_EQ(event.exec().argv_bytes(), 7U);
  EXPECT_FALSE(event.exec().argv_truncated());
}

TEST(KernelRecord, OfAnExecWithACutArgvSaysSo) {
  const Event event = decoded(exec_record("sh\0-c\0ec"s, 1000));
  EXPECT_THAT(event.exec().argv(), ElementsAre("sh", "-c", "ec"));
  EXPECT_EQ(event.exec().argv_bytes(), 1000U);
  EXPECT_TRUE(event.exec().argv_truncated());
}

TEST(KernelRecord, OfAConnectBecomesAConnectEvent) {
  const Event event = decoded(connect_record());
  EXPECT_EQ(event.connect().phase(), recording::v1::CONNECT_PHASE_RESULT);
  EXPECT_EQ(event.connect().remote_address(), "\xc0\0\0\x01"s);
  EXPECT_EQ(event.connect().remote_port(), 443U);
  EXPECT_EQ(event.connect().local_address(), "");
  EXPECT_EQ(event.connect().result(), -ECONNREFUSED);
  EXPECT_EQ(event.connect().socket_cookie(), 77U);
}

TEST(KernelRecord, OfAnExitBecomesAnExitEvent) {
  const Event event = decoded(exit_record());
  EXPECT_EQ(event.process_exit().exit_signal(), 11U);
  EXPECT_TRUE(event.process_exit().core_dumped());
}

TEST(KernelRecord, ShowsAnInterruptedCallAsEintr) {
  auto record = made<bpf::open_event>(bpf::EVENT_OPEN);
  record.result = -512;  // ERESTARTSYS, which never leaves the kernel
  EXPECT_EQ(decoded(bytes_of(record)).open().result(), -EINTR);
}

TEST(KernelRecord, KeepsACommThatIsNoTextPrintable) {
  auto record = made<bpf::exit_event>(bpf::EVENT_EXIT);
  std::memset(record.process.comm, 0xff, sizeof(record.process.comm));
  EXPECT_EQ(decoded(bytes_of(record)).process_exit().process().comm(), std::string(16, '?'));
}

struct Walked {
  const char* name;
  std::string components;
  uint32_t flags;
  std::string path;
};

class WalkedPath : public testing::TestWithParam<Walked> {};

TEST_P(WalkedPath, IsAssembledFromItsEnd) {
  const Event event = decoded(open_record(GetParam().components, "", GetParam().flags));
  EXPECT_EQ(event.open().file().path(), GetParam().path);
}

INSTANTIATE_TEST_SUITE_P(
    Walks, WalkedPath,
    testing::Values(Walked{"root", "", bpf::PATH_COMPLETE, "/"}, Walked{"one", "etc\0"s, bpf::PATH_COMPLETE, "/etc"},
                    Walked{"not_utf8", "\xff\0a\0"s, bpf::PATH_COMPLETE, "/a/\xff"},
                    Walked{"incomplete", "c\0b\0"s, 0, "b/c"}, Walked{"incomplete_and_empty", "", 0, ""},
                    Walked{"memory_file", "memfd:x\0"s, bpf::PATH_COMPLETE | bpf::PATH_DETACHED, "/memfd:x"},
                    Walked{"pipe", "pipefs\0"s, bpf::PATH_COMPLETE | bpf::PATH_DETACHED | bpf::PATH_UNNAMED,
                           "pipefs:[42]"}),
    [](const auto& walked) { return std::string(walked.param.name); });

struct Broken {
  const char* name;
  std::string record;
  const char* sentence;
};

template <class T, class Change> std::string changed(const std::string& record, Change change) {
  std::string bytes = record;
  T fields;
  std::memcpy(&fields, bytes.data(), sizeof(T));
  change(fields);
  std::memcpy(bytes.data(), &fields, sizeof(T));
  return bytes;
}

class BrokenRecord : public testing::TestWithParam<Broken> {};

TEST_P(BrokenRecord, IsRefusedAndBecomesAGap) {
  const Result<Event> event = decode_event(GetParam().record, kKey);
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code, Errc::kInvalid);
  EXPECT_THAT(event.error().message, HasSubstr(GetParam().sentence));
  const Event gap = unreadable_event(GetParam().record, kKey, 9);
  EXPECT_EQ(gap.gap().reason(), recording::v1::GAP_REASON_UNREADABLE);
  const bool has_number = event.error().message.starts_with("kernel record 7 ");
  EXPECT_EQ(gap.gap().from_seq(), has_number ? 7U : 0U);
  EXPECT_EQ(gap.gap().count(), has_number ? 1U : 0U);
  EXPECT_EQ(gap.boot_ns(), has_number ? 5'000'000'000U : 9U);
}

INSTANTIATE_TEST_SUITE_P(
    Breaks, BrokenRecord,
    testing::Values(
        Broken{"empty", "", "no header"}, Broken{"half_a_header", open_record().substr(0, 31), "no header"},
        Broken{"other_session", changed<bpf::event_header>(open_record(), [](auto& header) { header.session_key = 1; }),
               "no header of this session"},
        Broken{"number_zero", changed<bpf::event_header>(open_record(), [](auto& header) { header.sequence = 0; }),
               "no header"},
        Broken{"unknown_kind", changed<bpf::event_header>(open_record(), [](auto& header) { header.kind = 99; }),
               "no known kind"},
        Broken{"cut", open_record().substr(0, open_record().size() - 1), "its length is not what it says"},
        Broken{"header_alone", bytes_of(made<bpf::open_event>(bpf::EVENT_OPEN)).substr(0, 40), "its length"},
        Broken{"path_longer_than_the_record",
               changed<bpf::open_event>(open_record(), [](auto& open) { open.file.bytes = 0xffffffff; }), "path"},
        Broken{"path_without_end", open_record("passwd", ""), "path"},
        Broken{"claimed_longer_than_the_record",
               changed<bpf::open_event>(open_record(), [](auto& open) { open.claimed_bytes = 4000; }), "claimed path"},
        Broken{"bytes_left_over", changed<bpf::open_event>(open_record(), [](auto& open) { open.claimed_bytes = 1; }),
               "claimed path"},
        Broken{"more_argv_than_there_is", exec_record("sh\0-c\0\0"s, 3), "more argv"},
        Broken{"exec_with_a_descriptor", changed<bpf::exec_event>(exec_record(), [](auto& exec) { exec.result = 5; }),
               "result"},
        Broken{"wrong_family", changed<bpf::connect_event>(connect_record(), [](auto& c) { c.family = 5; }), "family"},
        Broken{"wrong_phase", changed<bpf::connect_event>(connect_record(), [](auto& c) { c.phase = 0; }), "phase"},
        Broken{"open_as_exit",
               changed<bpf::event_header>(open_record(), [](auto& header) { header.kind = bpf::EVENT_EXIT; }), "size"}),
    [](const auto& broken) { return std::string(broken.param.name); });

// Run under the asan preset: nothing outside the record may be read, whatever its bytes say.
TEST(KernelRecord, WithFlippedBitsOrACutEndIsNeverReadBeyondItsEnd) {
  std::mt19937 random(20251120);  // NOLINT: the same flips on every run
  for (const std::string& whole : {open_record(), exec_record(), connect_record(), exit_record()}) {
    for (size_t bytes = 0; bytes <= whole.size(); ++bytes) {
      const std::unique_ptr<char[]> exact(new char[bytes]);  // without the slack of a std::string
      std::memcpy(exact.get(), whole.data(), bytes);
      EXPECT_EQ(decode_event({exact.get(), bytes}, kKey).has_value(), bytes == whole.size());
    }
    for (int round = 0; round < 20'000; ++round) {
      const std::unique_ptr<char[]> flipped(new char[whole.size()]);
      std::memcpy(flipped.get(), whole.data(), whole.size());
      for (int flips = 1 + static_cast<int>(random() % 4); flips > 0; --flips) {
        flipped[random() % whole.size()] ^= static_cast<char>(1U << random() % 8);
      }
      const std::string_view record(flipped.get(), whole.size());
      const Result<Event> event = decode_event(record, kKey);
      if (!event) EXPECT_TRUE(unreadable_event(record, kKey, 1).has_gap());
      if (event) EXPECT_TRUE(Event().ParseFromString(event->SerializeAsString()));
    }
  }
}

}  // namespace
}  // namespace cairn::agent
