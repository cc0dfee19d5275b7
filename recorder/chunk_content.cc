#include "recorder/chunk_content.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/proof/merkle.h"
#include "recorder/tail_record.h"

namespace cairn::recorder {
namespace {

constexpr size_t kSalvageStepBytes = 64;

Failure needs_keys() {
  return fail(Errc::kDenied,
              "it is encrypted, and no key for it is at hand; give the file of one who may read it: "
              "--identity FILE");
}

std::string nonce_of(uint64_t counter) {
  std::string nonce(kNonceBytes, '\0');
  write_le64(nonce.data(), counter);
  return nonce;
}

Result<Events> read_pieces(const ChunkView& chunk, const RecordingKeys* keys, uint64_t& unknown) {
  PieceReader reader(chunk.header.number, keys);
  Events events;
  for (std::string_view rest = chunk.payload; !rest.empty();) {
    const Result<ParsedTailRecord> record = parse_tail_record(rest);
    if (!record) return fail(Errc::kCorrupt, record.error().message);
    rest.remove_prefix(record->bytes.size());
    Result<Events> more = reader.add(record->bytes);
    if (!more) return more;
    std::ranges::move(*more, std::back_inserter(events));
  }
  unknown = reader.unknown_events();
  if (reader.raw_bytes() != chunk.header.raw_bytes) {
    return fail(Errc::kCorrupt, "the chunk's pieces do not hold what its header says");
  }
  return events;
}

std::string digest_of(const std::string& raw, const RecordingKeys* keys) {
  return keys == nullptr ? sha256(raw) : hmac_sha256(keys->content_key().view(), raw);
}

// The frame of a sealed chunk into the reader. There are keys if it is encrypted.
Result<void> open_frame(const ChunkView& chunk, const RecordingKeys* keys, FrameReader& reader) {
  const ChunkHeader& header = chunk.header;
  if (header.form == PayloadForm::kPlain) return reader.feed(chunk.payload);
  const Result<std::string> opened =
      header.form == PayloadForm::kAge
          ? age_decrypt(chunk.payload, keys->chunk_key(header.number).view())
          : aead_open(Cipher::kAes256Gcm, keys->frame_key(header.number).view(), nonce_of(0), chunk.payload);
  return opened ? reader.feed(*opened) : fail(opened);
}

Result<void> check_digest(const ChunkView& chunk, const RecordingKeys* keys, const std::string& raw) {
  const std::string digest = digest_of(raw, chunk.header.form == PayloadForm::kPlain ? nullptr : keys);
  if (std::ranges::equal(digest, chunk.header.content, {}, [](char c) { return static_cast<unsigned char>(c); }))
    return {};
  return fail(Errc::kCorrupt, "its events are not those that the header's digest was made of");
}

Result<void> check_events(const ChunkHeader& header, const ChunkContent& content) {
  if (content.events.size() + content.unknown != header.events) {
    return fail(Errc::kCorrupt, fmt::format("{} events, the header says {}", content.events.size(), header.events));
  }
  if (content.unknown != 0 || content.events.empty()) return {};
  const auto [first, last] = std::ranges::minmax_element(content.events, {}, &Event::boot_ns);
  if (first->boot_ns() != header.first_boot_ns || last->boot_ns() != header.last_boot_ns) {
    return fail(Errc::kCorrupt, "the header's times are not those of the events");
  }
  return {};
}

// Of a chunk that was cut, without proof.
std::string open_torn_frame(const ChunkHeader& header, std::string_view payload, const RecordingKeys& keys) {
  if (header.form == PayloadForm::kAge)
    return age_decrypt_torn(payload, header.stored_payload_bytes(), keys.chunk_key(header.number).view());
  const size_t frame_bytes = header.stored_payload_bytes() - std::min(header.stored_payload_bytes(), kTagBytes);
  return decrypt_unproved(Cipher::kAes256Gcm, keys.frame_key(header.number).view(), nonce_of(0),
                          payload.substr(0, frame_bytes));
}

template <class Message> Result<Message> read_single(const ChunkView& chunk, ChunkType type) {
  if (chunk.header.type != type || chunk.header.form != PayloadForm::kPlain) {
    return fail(Errc::kCorrupt, "a chunk of another type stands where the recording begins or ends");
  }
  const Result<std::string> raw = decompress_frame(chunk.payload, chunk.header.raw_bytes);
  if (!raw) return fail(raw);
  Message message;
  if (!message.ParseFromString(*raw)) return fail(Errc::kCorrupt, "the recording's beginning or end cannot be read");
  return message;
}

}  // namespace

Result<ChunkContent> read_chunk(const ChunkView& chunk, const RecordingKeys* keys) {
  const PayloadForm form = chunk.header.form;
  const bool is_sealed = form != PayloadForm::kPlain && form != PayloadForm::kPlainPieces;
  if (is_sealed && keys == nullptr) return needs_keys();
  ChunkContent content;
  if (is_pieces(form)) {
    Result<Events> events = read_pieces(chunk, is_sealed ? keys : nullptr, content.unknown);
    if (!events) return fail(events);
    content.events = std::move(*events);
  } else {
    FrameReader reader(chunk.header.raw_bytes);
    if (Result<void> opened = open_frame(chunk, keys, reader); !opened) return fail(opened);
    Result<Events> events = reader.take();
    if (!events) return fail(events);
    content.events = std::move(*events);
    content.unknown = reader.unknown_events();
    if (!reader.is_complete() || reader.raw_bytes() != chunk.header.raw_bytes) {
      return fail(Errc::kCorrupt, fmt::format("it does not hold {} bytes of events", chunk.header.raw_bytes));
    }
    if (Result<void> meant = check_digest(chunk, keys, reader.raw()); !meant) return fail(meant);
    content.is_verified = true;
  }
  if (Result<void> fits = check_events(chunk.header, content); !fits) return fail(fits);
  return content;
}

Result<std::string> read_raw(const ChunkView& chunk, const RecordingKeys* keys) {
  if (chunk.header.type != ChunkType::kEvents || is_pieces(chunk.header.form))
    return fail(Errc::kUnsupported, "it is no sealed chunk of events");
  if (chunk.header.form != PayloadForm::kPlain && keys == nullptr) return needs_keys();
  FrameReader reader(chunk.header.raw_bytes);
  if (Result<void> opened = open_frame(chunk, keys, reader); !opened) return fail(opened);
  if (reader.raw_bytes() != chunk.header.raw_bytes)
    return fail(Errc::kCorrupt, fmt::format("it does not hold {} bytes of events", chunk.header.raw_bytes));
  if (Result<void> meant = check_digest(chunk, keys, reader.raw()); !meant) return fail(meant);
  return reader.raw();
}

Events salvage_chunk(std::string_view bytes, const RecordingKeys* keys) {
  const Result<ChunkHeader> header = parse_chunk_header(bytes);
  if (!header || header->type != ChunkType::kEvents) return {};
  const std::string_view payload = bytes.substr(std::min(bytes.size(), header->head_bytes() + header->meta_bytes));
  const PayloadForm form = header->form;
  if (form != PayloadForm::kPlain && form != PayloadForm::kPlainPieces && keys == nullptr) return {};
  if (is_pieces(form)) {
    PieceReader reader(header->number, form == PayloadForm::kSealedPieces ? keys : nullptr);
    Events events;
    for (std::string_view rest = payload;;) {
      const Result<ParsedTailRecord> record = parse_tail_record(rest);
      if (!record) return events;
      Result<Events> more = reader.add(record->bytes);
      if (!more) return events;
      std::ranges::move(*more, std::back_inserter(events));
      rest.remove_prefix(record->bytes.size());
    }
  }
  const bool is_sealed = form != PayloadForm::kPlain;
  const std::string opened = is_sealed ? open_torn_frame(*header, payload, *keys) : "";
  FrameReader reader(header->raw_bytes);
  // In small steps: the one that meets damage gives nothing.
  for (std::string_view rest = is_sealed ? std::string_view(opened) : payload; !rest.empty();) {
    if (!reader.feed(rest.substr(0, kSalvageStepBytes))) break;
    rest.remove_prefix(std::min(rest.size(), kSalvageStepBytes));
  }
  Result<Events> events = reader.take();
  return events ? std::move(*events) : Events();
}

Result<Opening> read_opening(const ChunkView& chunk) {
  Result<Opening> opening = read_single<Opening>(chunk, ChunkType::kBegin);
  if (opening &&
      (!opening->begin().has_begin() || opening->begin().begin().session_id() != uuid_text(chunk.header.session))) {
    return fail(Errc::kCorrupt, "chunk 0 does not say whose recording it begins");
  }
  return opening;
}

Result<Closing> read_closing(const ChunkView& chunk) {
  Result<Closing> closing = read_single<Closing>(chunk, ChunkType::kEnd);
  if (closing && !closing->end().has_end()) return fail(Errc::kCorrupt, "the final chunk holds no End");
  return closing;
}

Result<Proof> read_proof(const ChunkView& chunk) {
  if (chunk.header.type != ChunkType::kProof) return fail(Errc::kCorrupt, "there is no proof where one should be");
  const Result<std::string> raw = decompress_frame(chunk.payload, chunk.header.raw_bytes);
  if (!raw) return fail(raw);
  Proof proof;
  if (!proof.ParseFromString(*raw) || proof.leaves().size() % kHashBytes != 0 ||
      proof.audit().path().size() % kHashBytes != 0) {
    return fail(Errc::kCorrupt, "the recording's proof cannot be read");
  }
  return proof;
}

PieceReader::PieceReader(uint64_t chunk, const RecordingKeys* keys) : chunk_(chunk) {
  if (keys != nullptr) key_ = keys->piece_key(chunk);
}

Result<Events> PieceReader::add(std::string_view record) {
  const Result<ParsedTailRecord> parsed = parse_tail_record(record);
  if (!parsed) return fail(parsed);
  const TailRecord& piece = parsed->record;
  if (piece.type != TailRecordType::kPiece || piece.chunk != chunk_ || piece.counter <= counter_) {
    return fail(Errc::kCorrupt, "a piece of another chunk, or out of its order");
  }
  counter_ = piece.counter;
  std::string opened;
  if (key_) {
    Result<std::string> plain =
        aead_open(Cipher::kAes256Gcm, key_->view(), nonce_of(piece.counter), piece.body, tail_record_context(piece));
    if (!plain) return fail(plain);
    opened = std::move(*plain);
  }
  FrameReader frame(kMaxRawBytes - std::min<uint64_t>(raw_bytes_, kMaxRawBytes));
  if (Result<void> fed = frame.feed(key_ ? std::string_view(opened) : piece.body); !fed) return fail(fed);
  Result<Events> events = frame.take();
  if (!events) return events;
  raw_bytes_ += frame.raw_bytes();
  events_ += events->size();
  unknown_ += frame.unknown_events();
  if (!frame.is_complete() || raw_bytes_ != piece.raw_bytes || events_ + unknown_ != piece.events) {
    return fail(Errc::kCorrupt, "a piece does not hold what it says");
  }
  return events;
}

}  // namespace cairn::recorder
