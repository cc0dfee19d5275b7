#include "recorder/proof/merkle.h"

#include <bit>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"

namespace cairn::recorder {
namespace {

using Proof = std::vector<std::string>;

// The largest power of two smaller than `leaves`, which are at least two.
uint64_t split_of(uint64_t leaves) { return std::bit_floor(leaves - 1); }

// The hash over leaves begin..end-1; begin is a multiple of the least power of two that holds them.
Result<std::string> range_hash(uint64_t begin, uint64_t end, const MerkleNodes& nodes) {
  const uint64_t leaves = end - begin;
  if (std::has_single_bit(leaves)) {
    const unsigned level = std::countr_zero(leaves);
    return nodes(level, begin >> level);
  }
  const uint64_t middle = begin + split_of(leaves);
  const Result<std::string> left = range_hash(begin, middle, nodes);
  if (!left) return left;
  const Result<std::string> right = range_hash(middle, end, nodes);
  if (!right) return right;
  return merkle_node(*left, *right);
}

// RFC 9162 §2.1.4.1, SUBPROOF.
Result<void> add_subproof(uint64_t old_size, uint64_t begin, uint64_t end, bool is_known, const MerkleNodes& nodes,
                          Proof& proof) {
  const auto add = [&](uint64_t from, uint64_t to) -> Result<void> {
    Result<std::string> hash = range_hash(from, to, nodes);
    if (!hash) return fail(hash);
    proof.push_back(std::move(*hash));
    return {};
  };
  if (old_size == end - begin) return is_known ? Result<void>() : add(begin, end);
  const uint64_t split = split_of(end - begin);
  const uint64_t middle = begin + split;
  if (old_size <= split) {
    if (Result<void> left = add_subproof(old_size, begin, middle, is_known, nodes, proof); !left) return left;
    return add(middle, end);
  }
  if (Result<void> right = add_subproof(old_size - split, middle, end, false, nodes, proof); !right) return right;
  return add(begin, middle);
}

}  // namespace

std::string merkle_leaf(std::string_view entry) {
  std::string bytes(1, '\0');
  bytes += entry;
  return sha256(bytes);
}

std::string merkle_node(std::string_view left, std::string_view right) {
  std::string bytes(1, '\x01');
  bytes += left;
  bytes += right;
  return sha256(bytes);
}

std::string merkle_empty() { return sha256(""); }

void MerkleFrontier::add(std::string leaf) {
  for (uint64_t carry = size_; (carry & 1) != 0; carry >>= 1) {
    leaf = merkle_node(complete_.back(), leaf);
    complete_.pop_back();
  }
  complete_.push_back(std::move(leaf));
  ++size_;
}

std::string MerkleFrontier::root() const {
  if (complete_.empty()) return merkle_empty();
  std::string root = complete_.back();
  for (size_t i = complete_.size() - 1; i-- > 0;) root = merkle_node(complete_[i], root);
  return root;
}

Result<std::string> merkle_root(uint64_t size, const MerkleNodes& nodes) {
  return size == 0 ? merkle_empty() : range_hash(0, size, nodes);
}

Result<Proof> merkle_inclusion(uint64_t index, uint64_t size, const MerkleNodes& nodes) {
  if (index >= size) return fail(Errc::kInvalid, fmt::format("there is no leaf {} in a tree of {}", index, size));
  std::vector<std::pair<uint64_t, uint64_t>> siblings;  // from the root down
  uint64_t begin = 0;
  uint64_t end = size;
  while (end - begin > 1) {
    const uint64_t middle = begin + split_of(end - begin);
    const bool is_left = index < middle;
    siblings.push_back(is_left ? std::pair(middle, end) : std::pair(begin, middle));
    (is_left ? end : begin) = middle;
  }
  Proof proof;
  for (size_t i = siblings.size(); i-- > 0;) {
    Result<std::string> hash = range_hash(siblings[i].first, siblings[i].second, nodes);
    if (!hash) return fail(hash);
    proof.push_back(std::move(*hash));
  }
  return proof;
}

Result<Proof> merkle_consistency(uint64_t old_size, uint64_t size, const MerkleNodes& nodes) {
  if (old_size > size) return fail(Errc::kInvalid, fmt::format("a tree of {} leaves never had {}", size, old_size));
  Proof proof;
  if (old_size == 0 || old_size == size) return proof;
  if (Result<void> added = add_subproof(old_size, 0, size, true, nodes, proof); !added) return fail(added);
  return proof;
}

// RFC 9162 §2.1.3.2.
bool verify_inclusion(uint64_t index, uint64_t size, std::string_view leaf, const Proof& proof, std::string_view root) {
  if (index >= size) return false;
  uint64_t place = index;
  uint64_t last = size - 1;
  std::string hash(leaf);
  for (const std::string& sibling : proof) {
    if (last == 0) return false;
    if ((place & 1) != 0 || place == last) {
      hash = merkle_node(sibling, hash);
      while ((place & 1) == 0 && place != 0) {
        place >>= 1;
        last >>= 1;
      }
    } else {
      hash = merkle_node(hash, sibling);
    }
    place >>= 1;
    last >>= 1;
  }
  return last == 0 && hash == root;
}

// RFC 9162 §2.1.4.2.
bool verify_consistency(uint64_t old_size, std::string_view old_root, uint64_t size, std::string_view root,
                        const Proof& proof) {
  if (old_size > size) return false;
  if (old_size == size) return proof.empty() && old_root == root;
  if (old_size == 0) return proof.empty() && old_root == merkle_empty();
  Proof path = proof;
  if (std::has_single_bit(old_size)) path.insert(path.begin(), std::string(old_root));
  if (path.empty()) return false;
  uint64_t place = old_size - 1;
  uint64_t last = size - 1;
  while ((place & 1) != 0) {
    place >>= 1;
    last >>= 1;
  }
  std::string old_hash = path[0];
  std::string hash = path[0];
  for (size_t i = 1; i < path.size(); ++i) {
    if (last == 0) return false;
    if ((place & 1) != 0 || place == last) {
      old_hash = merkle_node(path[i], old_hash);
      hash = merkle_node(path[i], hash);
      while ((place & 1) == 0 && place != 0) {
        place >>= 1;
        last >>= 1;
      }
    } else {
      hash = merkle_node(hash, path[i]);
    }
    place >>= 1;
    last >>= 1;
  }
  return last == 0 && old_hash == old_root && hash == root;
}

void MerkleTree::add(std::string leaf) {
  for (size_t level = 0;; ++level) {
    if (level == levels_.size()) levels_.emplace_back();
    std::vector<std::string>& nodes = levels_[level];
    nodes.push_back(std::move(leaf));
    if (nodes.size() % 2 != 0) return;
    leaf = merkle_node(nodes[nodes.size() - 2], nodes.back());
  }
}

MerkleNodes MerkleTree::nodes() const {
  return [this](unsigned level, uint64_t index) -> Result<std::string> {
    if (level >= levels_.size() || index >= levels_[level].size()) return fail(Errc::kNotFound, "no such subtree");
    return levels_[level][index];
  };
}

std::string MerkleTree::root(uint64_t size) const { return merkle_root(size, nodes()).value(); }

}  // namespace cairn::recorder
