#include "auth/service/audit_head.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "recorder/proof/checkpoint.h"
#include "recorder/proof/note.h"

namespace cairn::auth {

Result<void> AuditHeadSigner::check_continues(const AuditHead& head) {
  const Result<std::string> text = read_file(file_, recorder::kMaxNoteBytes);
  if (!text && text.error().code == std::errc::no_such_file_or_directory) return {};
  if (!text) return fail(text);
  const Result<recorder::SignedNote> note = recorder::parse_note(*text);
  const Result<recorder::Checkpoint> last = note ? recorder::parse_checkpoint(note->text) : fail(note);
  if (!last) return fail(Errc::kCorrupt, fmt::format("{}: {}", file_.string(), last.error().message));
  const Result<AuditHead> then = last->size <= head.size ? store_->audit_head(last->size) : head;
  if (!then) return fail(then);
  if (last->size <= head.size && then->root == last->root) return {};
  return fail(
      Errc::kCorrupt,
      fmt::format("the audit log of {} events is not the one of {} events that was signed before: the database was "
                  "changed, or an older one restored; {} holds what was signed",
                  head.size, last->size, file_.string()));
}

Result<SignedHead> AuditHeadSigner::sign() {
  const std::scoped_lock lock(mutex_);
  const Result<AuditHead> head = store_->audit_head(0);
  if (!head) return fail(head);
  if (Result<void> continues = check_continues(*head); !continues) return fail(continues);
  recorder::SignedNote note{
      .text = recorder::checkpoint_text({.origin = keys_->signer_name(),
                                         .size = head->size,
                                         .root = head->root,
                                         .wall_ns = static_cast<uint64_t>(std::max<int64_t>(clock_->wall_ns(), 0))}),
      .signatures = {}};
  keys_->sign(note);
  std::string text = recorder::note_text(note);
  constexpr mode_t kReadable = 0644;
  if (Result<void> written = write_file_atomically(file_, text, kReadable); !written) return fail(written);
  return SignedHead{.note = std::move(text), .size = head->size};
}

}  // namespace cairn::auth
