#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/clock.h"
#include "base/result.h"
#include "cli/home/home.h"

namespace cairn::cli {

// What holds for every verb: the options before it, and the clock.
struct Context {
  std::filesystem::path home_option;  // --home; empty: CAIRN_HOME or ~/.cairn
  std::filesystem::path auth_socket;  // --auth-socket or CAIRN_AUTH_SOCKET; empty: decided by remote/auth_session.h
  std::string format = "table";       // --format: "table" or "json"
  SystemClock clock;

  bool is_json() const { return format == "json"; }
  Result<Home> home() const { return Home::find(home_option); }
};

// A parsed command line: `run` is the verb that was chosen. It prints its results and returns the exit code; an error
// is printed by the caller (exit_code.h).
struct Command {
  Context context;
  std::vector<std::string> ssh_arguments;  // of `cairn ssh`: all that follows, untouched
  std::function<Result<int>()> run;
};

// Adds a verb with its sentence and its examples (whole command lines, one per line) to `parent`.
CLI::App* add_verb(CLI::App& parent, const std::string& name, const std::string& sentence, const std::string& examples);
// Adds --format=table|json to a verb that prints things.
void add_format(CLI::App* verb, Command& command);

}  // namespace cairn::cli
