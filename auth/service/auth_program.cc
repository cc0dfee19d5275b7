#include "auth/service/auth_program.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include "auth/ca/authorities.h"
#include "auth/recordings/cluster_keys.h"
#include "auth/recordings/derivations.h"
#include "auth/recordings/directory_chunk_store.h"
#include "auth/recordings/recompressions.h"
#include "auth/recordings/timestamper.h"
#include "auth/service/auth_options.h"
#include "auth/service/auth_server.h"
#include "auth/service/data_directory.h"
#include "auth/store/sqlite_store.h"

namespace cairn::auth {
namespace {

constexpr const char* kIntroduction =
    "cairn-auth - authority and archive of a Cairn cluster: certificates, users, tokens, audit log, recordings\n\n"
    "  cairn-auth --cluster example --listen-address 127.0.0.1:3025   serve\n"
    "  cairn-auth                                                     serve, as the file says\n\n";

constexpr size_t kDiskThreads = 8;
constexpr size_t kPasswordThreads = 2;
constexpr size_t kSearchThreads = 2;
constexpr std::chrono::seconds kGoodbye{3};
constexpr int64_t kStampedAtStartNs = int64_t{7} * 86'400 * 1'000'000'000;

int say(int status, const Error& error) {
  fmt::print(stderr, "cairn-auth: {}\n", error.message);
  return status;
}

// Reads the options. An exit status instead when there is nothing more to do.
std::optional<int> read_options(AuthOptions& options, int argc, const char* const* argv) {
  Options table;
  options.declare(table);
  const Result<void> parsed = table.parse(argc, argv, kDefaultConfig);
  if (!parsed) return say(2, parsed.error());
  if (table.help_wanted()) {
    fmt::print("{}{}", kIntroduction, table.help());
    return 0;
  }
  if (table.version_wanted()) {
    fmt::print("cairn-auth {}\n", CAIRN_VERSION);
    return 0;
  }
  if (const Result<void> checked = options.check(); !checked) return say(2, checked.error());
  return std::nullopt;
}

// What may have been sealed while no timestamp was to be had.
Result<void> stamp_recent(Store& store, Timestamper& timestamper, const Clock& clock) {
  SessionQuery query{.state = v1::ListSessionsRequest::STATE_ENDED,
                     .since_wall_ns = std::max<int64_t>(clock.wall_ns() - kStampedAtStartNs, 1),
                     .limit = 1000};
  do {
    const Result<Page<v1::Session>> page = store.list_sessions(query);
    if (!page) return fail(page);
    for (const v1::Session& session : page->rows) timestamper.sealed(session.id());
    query.page_token = page->next_page_token;
  } while (!query.page_token.empty());
  return {};
}

// Serves until a signal comes.
Result<void> serve(const AuthOptions& options, Authorities authorities, Store* store, ChunkStore* chunks,
                   const Clock* clock, Log log) {
  const Issuer issuer(&authorities, options.cluster, options.lifetimes, clock);
  Result<ClusterKeys> keys = ClusterKeys::open(options.data_dir / "ca", options.cluster, options.recipients);
  if (!keys) return fail(keys);
  Result<std::string> cosigner = issuer.cosigner_certificate(keys->signer_public_key());
  if (!cosigner) return fail(cosigner);
  keys->set_signer_certificate(std::move(*cosigner));
  Result<recorder::DerivedCache> derived = recorder::DerivedCache::open(options.data_dir / "derived");
  if (!derived) return fail(derived);
  Recordings recordings(store, chunks, *derived, &*keys, clock, log);
  if (Result<void> reconciled = recordings.reconcile(); !reconciled) return fail(reconciled, "recordings");
  Derivations derivations(*derived, chunks, &recordings, log);
  const Recompressions recompressions(store, &recordings, clock, options.recompress_after, log);
  Enrolment enrolment(store, &issuer, clock, log);
  Retention retention(store, &recordings, clock, log);
  Service service(store, &recordings, &*keys, &issuer, &enrolment, &retention, &derivations, options.data_dir, clock,
                  log);
  std::optional<Timestamper> timestamper;
  if (!options.timestamp_command.empty()) {
    timestamper.emplace(options.timestamp_command, &recordings, log);
    recordings.watch_seals([&timestamper](const std::string& session_id) { timestamper->sealed(session_id); });
    if (Result<void> queued = stamp_recent(*store, *timestamper, *clock); !queued) return fail(queued, "timestamps");
  }
  GrowthWatch growth;
  OpenConnections connections;
  // In this order: the pools finish what they have begun while there is a loop to bring it to; the loop's coroutines
  // end while what they work with is there.
  asio::io_context loop(1);
  WorkPool disk(kDiskThreads);
  WorkPool passwords(kPasswordThreads);
  WorkPool searches(kSearchThreads);
  const ServerParts parts{.service = &service,
                          .enrolment = &enrolment,
                          .issuer = &issuer,
                          .retention = &retention,
                          .growth = &growth,
                          .connections = &connections,
                          .disk = &disk,
                          .passwords = &passwords,
                          .searches = &searches,
                          .clock = clock};
  AuthServer server(loop.get_executor(), parts, log);
  if (Result<void> listening = server.listen(options.address); !listening) return listening;
  if (Result<void> listening = server.listen_admin(options.data_dir / "auth.sock"); !listening) return listening;

  bool is_ending = false;
  asio::signal_set signals(loop, SIGINT, SIGTERM);
  signals.async_wait([&is_ending](const boost::system::error_code& error, int) { is_ending = !error; });
  server.start();
  log.info("auth.ready", kv("address", server.address()), kv("ca_pin", authorities.ca_pin()),
           kv("cluster", options.cluster), kv("version", CAIRN_VERSION));
  while (!is_ending) loop.run_one();
  server.stop();
  const Deadline deadline = after(kGoodbye);
  while (!connections.empty() && loop.run_one_until(deadline) > 0) {
  }
  log.info("auth.ended");
  return {};
}

Result<void> run(const AuthOptions& options) {
  // A log that nobody reads any more must not end us.
  std::signal(SIGPIPE, SIG_IGN);
  const SystemClock clock;
  const Result<DataDirectory> directory = DataDirectory::open(options.data_dir, options.cluster);
  if (!directory) return fail(directory);
  Result<Authorities> authorities = Authorities::open(options.data_dir / "ca", options.cluster, clock.wall_s());
  if (!authorities) return fail(authorities);
  const Result<std::unique_ptr<Store>> store =
      open_sqlite_store(options.data_dir / "auth.db", kDiskThreads + kPasswordThreads + kSearchThreads, clock);
  if (!store) return fail(store);
  const Result<std::unique_ptr<DirectoryChunkStore>> chunks =
      DirectoryChunkStore::open(options.data_dir / "recordings");
  if (!chunks) return fail(chunks);
  return serve(options, std::move(*authorities), store->get(), chunks->get(), &clock, Log("cairn-auth", options.level));
}

}  // namespace

int run_auth(int argc, const char* const* argv) {
  AuthOptions options;
  if (const std::optional<int> status = read_options(options, argc, argv)) return *status;
  const Result<void> ended = run(options);
  return ended ? 0 : say(1, ended.error());
}

}  // namespace cairn::auth
