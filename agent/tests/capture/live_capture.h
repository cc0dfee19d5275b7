#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/capture/capture_host.h"
#include "agent/capture/session_capture.h"
#include "agent/capture/tier.h"
#include "base/unique_fd.h"
#include "proto/recording.pb.h"

namespace cairn::agent {

// A child behind a gate: it does nothing before open_gate(), then runs `body` and exits with what that returns.
// What the environment's CAIRN_TIER names, for the matrix of tiers and kernels; else empty: the best one.
std::string tier_under_test();

class GatedChild {
 public:
  explicit GatedChild(const std::function<int()>& body);
  ~GatedChild();

  int pidfd() const { return pidfd_.get(); }
  uint32_t pid() const { return static_cast<uint32_t>(pid_); }
  void open_gate();
  int wait();  // its wait status
  void kill() const;

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd gate_;
  std::optional<int> status_;
};

// What a session recorded, whole.
struct Recorded {
  std::vector<recording::v1::Event> events;  // by sequence number
  SessionCounters counters;

  // Every number from 1 to the last is there, or was dropped and counted.
  void expect_whole() const;
  std::vector<recording::v1::Exec> execs() const;
  std::vector<recording::v1::Open> opens() const;
  std::vector<recording::v1::Connect> connects() const;
  std::vector<recording::v1::ProcessExit> exits() const;
  std::vector<recording::v1::Open> opens_of(const std::string& path) const;  // by resolved path
  std::vector<recording::v1::Open> claimed(const std::string& path) const;
};

// Programs loaded and pinned on a bpffs of this program's own, once for all tests (loading takes the longest by far),
// and a folder for each test. Skips, with the reason, where the host lets nobody load BPF programs.
class LiveCapture : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  const std::filesystem::path& bpf_dir() const { return bpf_dir_; }
  // For a test that changes the pins themselves.
  virtual bool wants_pins_of_its_own() const { return false; }
  const Tier& tier() const;                                        // the one in force
  const std::filesystem::path& folder() const { return folder_; }  // without symbolic links
  std::filesystem::path write_script(const std::string& name, const std::string& text) const;

  static SessionCapture open_session(const std::filesystem::path& bpf_dir, uint64_t key, RingSizes sizes = {});
  // Reads until no task of the session lives, then all that is left.
  static Recorded read_to_end(SessionCapture& session);
  // The whole of a session whose one child runs `body`.
  Recorded record(const std::function<int()>& body) const;

  std::unique_ptr<CaptureHost> host_;

 private:
  std::filesystem::path folder_;
  std::filesystem::path bpf_dir_;
};

// Runs a program in place of the calling child; 127 when it cannot.
int exec_program(const std::string& path, const std::vector<std::string>& argv);

}  // namespace cairn::agent
