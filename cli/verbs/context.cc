#include "cli/verbs/context.h"

namespace cairn::cli {

CLI::App* add_verb(CLI::App& parent, const std::string& name, const std::string& sentence,
                   const std::string& examples) {
  CLI::App* verb = parent.add_subcommand(name, sentence);
  std::string footer = "Example:\n";
  for (size_t begin = 0; begin < examples.size();) {
    const size_t end = std::min(examples.find('\n', begin), examples.size());
    footer += "  " + examples.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  verb->footer(footer);
  return verb;
}

void add_format(CLI::App* verb, Command& command) {
  verb->add_option("--format", command.context.format, "table for people, json for programs")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

}  // namespace cairn::cli
