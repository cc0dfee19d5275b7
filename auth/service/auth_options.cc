#include "auth/service/auth_options.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "auth/access/names.h"

namespace cairn::auth {

void AuthOptions::declare(Options& table) {
  table.add("data_dir", &data_dir, "Directory of authorities, database and recordings; belongs in the backup");
  table.add("listen_address", &listen_address,
            "Address for proxies to connect to, ip:port; the proxy alone needs to be public");
  table.add("cluster", &cluster, "Name of the cluster, in every certificate; cannot be changed later");
  table.add("user_certificate_lifetime", &lifetimes.user, "How long a login lasts");
  table.add("host_certificate_lifetime", &lifetimes.host,
            "How long the certificate of a node or proxy lasts; they renew it at half of it");
  table.add("token_lifetime", &lifetimes.token, "How long a join token is valid unless it says otherwise");
  table.add("recording_recipients", &recording_recipients,
            "Who can decrypt recordings, separated by commas: cluster (this service), age public keys, and paths of "
            "certificates or public keys in PEM (P-256, RSA). Without cluster nobody here can show or search them");
  table.add(
      "timestamp_command", &timestamp_command,
      "Command that brings the query of a recording's timestamp (RFC 3161, DER) from standard input to a timestamp "
      "authority, and its response to standard output: curl -sSf -H 'Content-Type: application/timestamp-query' "
      "--data-binary @- https://…; empty: recordings have no timestamps but the cluster's own");
  table.add("recompress_after", &recompress_after,
            "How long after a session's end its recording is recompressed in the background, to some three quarters of "
            "its size; 0 = never. See docs/keeping.md");
  table.add("log_level", &log_level, "debug, info, warn or error");
}

Result<void> AuthOptions::check() {
  const Result<LogLevel> parsed = parse_log_level(log_level);
  if (!parsed) return fail(parsed, "log_level");
  level = *parsed;
  Result<tunnel::Address> parsed_address = tunnel::parse_address(listen_address, kDefaultPort);
  if (!parsed_address) return fail(parsed_address, "listen_address");
  address = std::move(*parsed_address);
  // It stands in URIs and certificates.
  if (!check_host_name(cluster))
    return fail(Errc::kInvalid, fmt::format("cluster \"{}\": 1 to 63 of a-z, 0-9, \".\" and \"-\", beginning with a "
                                            "letter or digit",
                                            cluster));
  for (std::string_view rest = recording_recipients; !rest.empty();) {
    const size_t end = std::min(rest.find_first_of(", "), rest.size());
    if (end > 0) recipients.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  for (const std::chrono::seconds lifetime : {lifetimes.user, lifetimes.host, lifetimes.token}) {
    if (lifetime < std::chrono::seconds(1))
      return fail(Errc::kInvalid, "a lifetime of 0 s; certificates and tokens must last at least one second");
  }
  // Hosts look once a minute whether half of it is over.
  if (lifetimes.host < std::chrono::minutes(5))
    return fail(Errc::kInvalid, "host_certificate_lifetime: at least 5m, or hosts cannot renew in time");
  return {};
}

}  // namespace cairn::auth
