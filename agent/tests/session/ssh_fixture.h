#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tests/supervisor/temporary_folder.h"
#include "proto/recording.pb.h"
#include "recorder/recipients.h"

namespace cairn::agent {

// What a program left behind.
struct Finished {
  int status = 0;  // as the shell has it: 128 + N after signal N
  std::string output;
  std::string errors;
};

// Runs a program to its end, with `input` as its standard input.
Finished run_program(const std::vector<std::string>& command, std::string_view input = {});

// Keys, an authority and certificates made by ssh-keygen, in a folder of their own.
class SshKeys {
 public:
  SshKeys();

  const std::filesystem::path& folder() const { return folder_.path(); }
  std::filesystem::path path(std::string_view name) const { return folder_.path() / name; }

  // A key pair NAME, NAME.pub.
  void make_key(const std::string& name, const std::string& type = "ed25519", int bits = 0) const;
  // NAME-cert.pub for an existing key; `options` are ssh-keygen's.
  void certify(const std::string& name, const std::string& authority, std::vector<std::string> options) const;
  // The blob of a .pub file.
  std::string blob(const std::string& file) const;
  void write(const std::string& file, std::string_view text) const;

 private:
  TemporaryFolder folder_;
};

// A node's SSH server without a cluster (session_program.cc) and stock ssh in front of it. Made with an authority "ca"
// and a key "key" that it has certified for root.
class SshNode : public SshKeys {
 public:
  SshNode();

  // `ssh OPTIONS node WORDS`, as root, with the key "key".
  Finished ssh(const std::vector<std::string>& options, const std::vector<std::string>& words,
               std::string_view input = {}, const std::string& login = "root", const std::string& key = "key") const;
  // Options for ssh itself, for scp, sftp and rsync.
  std::vector<std::string> options(const std::string& login, const std::string& key) const;

  // The events of the only recording, once it is complete. Empty, with a failure, after 20 s.
  std::vector<recording::v1::Event> recording() const;
  size_t recordings() const;
  std::string log() const;

 private:
  recorder::Identity reader_ = recorder::AgeIdentity::generate();  // whom the recordings are encrypted to
};

// Why this host cannot run logins; empty when it can.
std::string why_no_logins();

}  // namespace cairn::agent
