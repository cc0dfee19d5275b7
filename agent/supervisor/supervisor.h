#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/signal_set.hpp>

#include "agent/capture/capture_host.h"
#include "agent/enroll/node_identity.h"
#include "agent/supervisor/agent_options.h"
#include "agent/supervisor/canary_watch.h"
#include "agent/supervisor/control_connections.h"
#include "agent/supervisor/exec_ledger.h"
#include "agent/supervisor/heartbeat.h"
#include "agent/supervisor/metrics_file.h"
#include "agent/supervisor/worker_launcher.h"
#include "agent/upload/auth_link.h"
#include "agent/upload/proxy_choice.h"
#include "agent/upload/uploader.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/service_manager.h"
#include "base/work_pool.h"
#include "proto/agent.pb.h"

namespace cairn::agent {

// The part of cairn-agent that stays: joins, loads and pins the capture, holds the control connection, starts workers,
// uploads the spool. Everything that must outlive it is on the disk or pinned in the kernel, so that it may be killed
// at any moment and the next one goes on. Thread: its executor.
class Supervisor {
 public:
  // The options as the file and the command line say them now, checked.
  using ReadOptions = std::function<Result<AgentOptions>()>;

  // `clock` and `manager` outlive it.
  Supervisor(const asio::any_io_executor& executor, AgentOptions options, ReadOptions read_options, const Clock* clock,
             const ServiceManager* manager, Log log);

  // Until SIGTERM or SIGINT, which is success: no new session begins, those that run live on in their own processes and
  // are uploaded by the next supervisor. With none left, the kernel is as it was before. On SIGHUP the options are read
  // again.
  //   fails  with what keeps this node from serving: the data directory, joining, capture, an expired identity
  awaitable<Result<void>> run();

 private:
  awaitable<Result<void>> until_stopped();
  awaitable<Result<void>> serve();
  awaitable<void> announce_and_listen();
  awaitable<void> rest_capture();  // when no session has been for a while, the host pays nothing for system calls
  Result<void> start_capture();
  Result<void> check_capture();
  awaitable<void> watch_capture();
  awaitable<void> keep_ledger();
  awaitable<void> keep_metrics();
  awaitable<void> keep_status();
  awaitable<void> watch_reload();
  void reload();
  awaitable<void> write_metrics();
  awaitable<Result<void>> tell_ledger(audit::v1::AuditEvent event);
  void on_sight_changed(std::string blind);
  awaitable<void> report_sight(std::string blind);
  size_t sessions() const;
  void start_parts();
  KernelSessions kernel_sessions();

  awaitable<Result<void>> on_dial(tunnel::v1::Dial dial, tunnel::Address proxy);
  awaitable<Result<auth::v1::Response>> ask_auth_once(auth::v1::Request request, std::chrono::milliseconds limit);
  auth::v1::HeartbeatRequest describe() const;
  awaitable<agent::v1::AgentStatus> current_status();
  agent::v1::AgentStatus status() const;
  void on_up(const tunnel::Address& proxy);
  void clean_up_kernel();

  asio::any_io_executor executor_;
  AgentOptions options_;
  ReadOptions read_options_;
  const Clock* clock_;
  const ServiceManager* manager_;
  Log log_;
  asio::signal_set stop_;
  asio::signal_set hangup_;
  ProxyChoice proxies_;
  std::filesystem::path spool_;

  // Made in this order by serve().
  std::unique_ptr<NodeIdentity> identity_;
  std::optional<CaptureHost> capture_;  // none: the kernel refused, capture_error_ says why
  std::string capture_error_;
  std::unique_ptr<AuthLink> upload_link_;
  std::unique_ptr<AuthLink> ledger_link_;
  std::unique_ptr<WorkerLauncher> workers_;
  std::unique_ptr<Uploader> uploader_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::unique_ptr<ControlConnections> control_;
  std::unique_ptr<CanaryWatch> canary_;
  std::unique_ptr<ExecLedger> ledger_;
  std::set<std::string> seen_;       // proxies that have been connected to
  bool are_metrics_untold_ = false;  // the file could not be written; logged when it begins
  uint64_t times_blind_ = 0;
  WorkPool disk_{2};  // last: waits for its work before the rest goes
};

}  // namespace cairn::agent
