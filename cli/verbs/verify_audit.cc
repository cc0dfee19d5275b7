#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/verbs.h"
#include "recorder/proof/audit_entry.h"
#include "recorder/proof/certificate.h"
#include "recorder/proof/checkpoint.h"
#include "recorder/proof/merkle.h"
#include "recorder/proof/note.h"
#include "tunnel/identity.h"

namespace cairn::cli {
namespace {

using auth::v1::Request;
using auth::v1::Response;

constexpr uint32_t kLeavesAtOnce = 65'536;
constexpr uint32_t kEventsAtOnce = 1000;
constexpr size_t kMaxTrustBytes = 4 << 20;
constexpr mode_t kPrivate = 0600;

struct SignedTree {
  recorder::Checkpoint head;
  std::string note;
  std::vector<std::string> leaves;
};

struct Verdict {
  uint64_t events = 0;
  std::string root;
  std::optional<uint64_t> bad_event;  // its place in the log, from 1
  std::string finding;                // empty: intact
  uint64_t known_before = 0;          // events that this home had seen signed
};

// The authority that this home believes since its login, never what auth says of itself now.
Result<std::string> authorities(const Context& context, const std::string& file) {
  if (!file.empty()) return read_file(file, kMaxTrustBytes);
  const Result<Home> home = context.home();
  const Result<tunnel::Identity> identity = home ? tunnel::load_identity(home->root()) : fail(home);
  if (identity) return identity->authorities.host_ca();
  // Root on the auth host believes its own files.
  Request request;
  request.mutable_read_trust();
  const Result<Response> response = ask(context, std::move(request), Response::kReadTrust);
  if (!response) return fail(response);
  return response->read_trust().authorities();
}

Result<SignedTree> read_tree(AuthSession& auth, const std::string& authorities_pem) {
  SignedTree tree;
  for (;;) {
    Request request;
    request.mutable_read_audit_tree()->set_from(tree.leaves.size());
    request.mutable_read_audit_tree()->set_count(kLeavesAtOnce);
    const Result<Response> response = auth.call(std::move(request), Response::kReadAuditTree);
    if (!response) return fail(response);
    const auth::v1::ReadAuditTreeResponse& part = response->read_audit_tree();
    if (tree.note.empty()) {
      const Result<recorder::SignerCertificate> signer = recorder::check_signer(
          part.signer(), {.authorities_pem = authorities_pem, .revocations_pem = {}, .timestamp_authorities_pem = {}});
      if (!signer) return fail(signer, "the key that signs the audit log");
      const Result<recorder::SignedNote> note = recorder::parse_note(part.checkpoint());
      if (!note) return fail(note);
      const bool is_signed = recorder::is_signed_by(*note, {signer->common_name, signer->public_key});
      if (!is_signed || !signer->uri.ends_with("/log"))
        return fail(Errc::kCorrupt, "the audit log is not signed by auth");
      Result<recorder::Checkpoint> head = recorder::parse_checkpoint(note->text);
      if (!head) return fail(head);
      tree.head = std::move(*head);
      tree.note = part.checkpoint();
    }
    const std::string& leaves = part.leaves();
    for (size_t at = 0; at + recorder::kHashBytes <= leaves.size(); at += recorder::kHashBytes) {
      tree.leaves.push_back(leaves.substr(at, recorder::kHashBytes));
    }
    // What came after the signature is another time's.
    if (leaves.empty() || tree.leaves.size() >= tree.head.size) break;
  }
  tree.leaves.resize(std::min<size_t>(tree.leaves.size(), tree.head.size));
  return tree;
}

std::string root_of(const std::vector<std::string>& leaves, size_t count) {
  recorder::MerkleFrontier tree;
  for (size_t i = 0; i < count; ++i) tree.add(leaves[i]);
  return tree.root();
}

// Every event, by its place in the log.
Result<std::map<uint64_t, std::string>> hash_events(AuthSession& auth) {
  std::map<uint64_t, std::string> hashes;
  std::string page;
  do {
    Request request;
    request.mutable_search_audit()->set_limit(kEventsAtOnce);
    request.mutable_search_audit()->set_ascending(true);
    request.mutable_search_audit()->set_page_token(page);
    const Result<Response> response = auth.call(std::move(request), Response::kSearchAudit);
    if (!response) return fail(response);
    for (const audit::v1::AuditEvent& event : response->search_audit().events()) {
      hashes[event.leaf()] = recorder::merkle_leaf(recorder::audit_entry(event));
    }
    page = response->search_audit().next_page_token();
  } while (!page.empty());
  return hashes;
}

Verdict compare(const SignedTree& tree, const std::map<uint64_t, std::string>& events) {
  Verdict verdict{.events = tree.head.size, .root = to_hex(tree.head.root), .bad_event = {}, .finding = {}};
  if (tree.leaves.size() != tree.head.size || root_of(tree.leaves, tree.leaves.size()) != tree.head.root) {
    verdict.finding = "the log's tree is not what auth has signed";
    return verdict;
  }
  for (uint64_t i = 0; i < tree.head.size; ++i) {
    const auto event = events.find(i + 1);
    if (event != events.end() && event->second == tree.leaves[i]) continue;
    verdict.bad_event = i + 1;
    verdict.finding = event == events.end() ? fmt::format("event {} is missing", i + 1)
                                            : fmt::format("event {} is not what was signed", i + 1);
    return verdict;
  }
  return verdict;
}

// What this home saw signed the last time must still be there.
Result<void> compare_with_before(const std::filesystem::path& file, const SignedTree& tree, Verdict& verdict) {
  const Result<std::string> text = read_file(file, recorder::kMaxNoteBytes);
  if (!text && text.error().code == std::errc::no_such_file_or_directory) return {};
  if (!text) return fail(text);
  const Result<recorder::SignedNote> note = recorder::parse_note(*text);
  const Result<recorder::Checkpoint> before = note ? recorder::parse_checkpoint(note->text) : fail(note);
  if (!before) return fail(before, file.string());
  if (before->origin != tree.head.origin) return {};  // another cluster's
  verdict.known_before = before->size;
  if (before->size <= tree.leaves.size() && root_of(tree.leaves, before->size) == before->root) return {};
  verdict.finding =
      fmt::format("the log does not continue the one of {} events that this home saw signed before", before->size);
  return {};
}

Result<int> verify(const Context& context, const std::string& trust) {
  const Result<std::string> believed = authorities(context, trust);
  if (!believed) return fail(believed);
  Result<AuthSession> auth = open_auth(context);
  if (!auth) return fail(auth);
  const Result<SignedTree> tree = read_tree(*auth, *believed);
  if (!tree) return fail(tree);
  const Result<std::map<uint64_t, std::string>> events = hash_events(*auth);
  if (!events) return fail(events);
  Verdict verdict = compare(*tree, *events);
  const Result<Home> home = context.home();
  if (home && verdict.finding.empty()) {
    const std::filesystem::path file = home->root() / "audit.head";
    if (Result<void> compared = compare_with_before(file, *tree, verdict); !compared) return fail(compared);
    if (verdict.finding.empty() && home->has_identity()) {
      if (Result<void> kept = write_file_atomically(file, tree->note, kPrivate); !kept) return fail(kept);
    }
  }
  nlohmann::ordered_json object{
      {"intact", verdict.finding.empty()},    {"events", verdict.events}, {"root", verdict.root},
      {"known_before", verdict.known_before}, {"bad_event", nullptr},     {"finding", verdict.finding}};
  if (verdict.bad_event) object["bad_event"] = *verdict.bad_event;
  const Result<void> printed =
      context.is_json()
          ? print_json(object)
          : print_text(fmt::format("audit log  {}\nevents     {}, {} of them seen here before\nroot       {}\n",
                                   verdict.finding.empty() ? "intact" : "NOT INTACT", verdict.events,
                                   verdict.known_before, verdict.root));
  if (!printed) return fail(printed);
  if (verdict.finding.empty()) return kExitOk;
  print_warning("the audit log was tampered with: " + verdict.finding);
  return kExitIncomplete;
}

}  // namespace

void add_verify_audit_verb(CLI::App& audit, Command& command) {
  auto trust = std::make_shared<std::string>();
  CLI::App* verb =
      add_verb(audit, "verify",
               "Say whether the audit log is what auth has signed, and continues what this home saw the last "
               "time: exit 0 if so, 3 if not",
               "cairn audit verify\ncairn audit verify --format=json | jq -r .root");
  verb->add_option("--trust", *trust, "file of the cluster's public keys; without it those of this home's login");
  add_format(verb, command);
  verb->callback([&command, trust] { command.run = [&command, trust] { return verify(command.context, *trust); }; });
}

}  // namespace cairn::cli
