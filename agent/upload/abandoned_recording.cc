#include "agent/upload/abandoned_recording.h"

#include "agent/upload/spool_reader.h"

namespace cairn::agent {

std::optional<uint64_t> kernel_key_of(const std::filesystem::path& recording, const std::string& boot_id) {
  const Result<SpoolReader> reader = SpoolReader::open(recording);
  if (!reader) return std::nullopt;
  const Result<recorder::Begin> begin = reader->begin();
  if (!begin || begin->boot_id() != boot_id || begin->session_key() == 0) return std::nullopt;
  return begin->session_key();
}

Result<bool> is_sealed(const std::filesystem::path& recording) {
  const Result<SpoolReader> reader = SpoolReader::open(recording);
  if (!reader) return fail(reader);
  const Result<SpoolSurvey> survey = reader->survey();
  if (!survey && (survey.error().code == Errc::kCorrupt || survey.error().code == Errc::kUnsupported)) return false;
  if (!survey) return fail(survey);
  return survey->is_sealed();
}

}  // namespace cairn::agent
