#include "agent/capture/sensitive_path.h"

#include <algorithm>
#include <array>

namespace cairn::agent {
namespace {

using namespace recording::v1;

struct Rule {
  std::string_view prefix;
  std::string_view suffix;
  Sensitive meaning;
};

constexpr std::array kRules = {
    Rule{"/proc/sys/kernel/core_pattern", "", SENSITIVE_USERMODE_HELPER},
    Rule{"/proc/sys/kernel/modprobe", "", SENSITIVE_USERMODE_HELPER},
    Rule{"/proc/sys/kernel/hotplug", "", SENSITIVE_USERMODE_HELPER},
    Rule{"/proc/sys/kernel/usermodehelper/", "", SENSITIVE_USERMODE_HELPER},
    Rule{"/proc/sys/fs/binfmt_misc/", "", SENSITIVE_USERMODE_HELPER},
    Rule{"/sys/kernel/uevent_helper", "", SENSITIVE_USERMODE_HELPER},
    Rule{"/sys/fs/cgroup/", "/release_agent", SENSITIVE_USERMODE_HELPER},
    Rule{"/etc/cron", "", SENSITIVE_SCHEDULE},
    Rule{"/etc/anacrontab", "", SENSITIVE_SCHEDULE},
    Rule{"/var/spool/cron/", "", SENSITIVE_SCHEDULE},
    Rule{"/var/spool/at/", "", SENSITIVE_SCHEDULE},
    Rule{"/etc/systemd/", "", SENSITIVE_SERVICE},
    Rule{"/run/systemd/", "", SENSITIVE_SERVICE},
    Rule{"/usr/lib/systemd/", "", SENSITIVE_SERVICE},
    Rule{"/lib/systemd/", "", SENSITIVE_SERVICE},
    Rule{"/etc/init.d/", "", SENSITIVE_SERVICE},
    Rule{"/etc/rc", "", SENSITIVE_SERVICE},
    Rule{"/proc/", "/loginuid", SENSITIVE_LOGIN_UID},
    Rule{"/sys/fs/cgroup/", "/cgroup.procs", SENSITIVE_CGROUP},
    Rule{"/sys/fs/cgroup/", "/cgroup.threads", SENSITIVE_CGROUP},
    Rule{"/sys/fs/cgroup/", "/tasks", SENSITIVE_CGROUP},
    Rule{"/proc/", "/mem", SENSITIVE_PROCESS_MEMORY},
    Rule{"/dev/mem", "", SENSITIVE_KERNEL},
    Rule{"/dev/kmem", "", SENSITIVE_KERNEL},
    Rule{"/dev/port", "", SENSITIVE_KERNEL},
    Rule{"/proc/kcore", "", SENSITIVE_KERNEL},
    Rule{"/proc/sysrq-trigger", "", SENSITIVE_KERNEL},
};

}  // namespace

Sensitive sensitivity_of(std::string_view path) {
  const auto* rule = std::ranges::find_if(kRules, [&](const Rule& candidate) {
    return path.starts_with(candidate.prefix) && path.ends_with(candidate.suffix);
  });
  return rule == kRules.end() ? SENSITIVE_NONE : rule->meaning;
}

}  // namespace cairn::agent
