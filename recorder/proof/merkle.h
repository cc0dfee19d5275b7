#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cairn::recorder {

// The append-only Merkle tree of RFC 9162 §2.1 over SHA-256. Hashes are strings of 32 raw bytes.

constexpr size_t kHashBytes = 32;

std::string merkle_leaf(std::string_view entry);  // SHA-256(0x00 || entry)
std::string merkle_node(std::string_view left, std::string_view right);
std::string merkle_empty();  // the root of no leaves

// The root of a growing tree, in the memory of one hash per level.
class MerkleFrontier {
 public:
  void add(std::string leaf);
  uint64_t size() const { return size_; }
  std::string root() const;

 private:
  std::vector<std::string> complete_;  // of each set bit of size_, from the largest subtree to the smallest
  uint64_t size_ = 0;
};

// The hash of the complete subtree with 2^level leaves that begins at leaf index * 2^level.
using MerkleNodes = std::function<Result<std::string>(unsigned level, uint64_t index)>;

// The root when the tree had `size` leaves.
Result<std::string> merkle_root(uint64_t size, const MerkleNodes& nodes);
// That leaf `index` is in the tree of `size` leaves: RFC 9162 §2.1.3.1.
//   fails  kInvalid: index is not below size; whatever `nodes` fails with
Result<std::vector<std::string>> merkle_inclusion(uint64_t index, uint64_t size, const MerkleNodes& nodes);
// That the tree of `size` leaves continues the one of `old_size`: RFC 9162 §2.1.4.1.
Result<std::vector<std::string>> merkle_consistency(uint64_t old_size, uint64_t size, const MerkleNodes& nodes);

bool verify_inclusion(uint64_t index, uint64_t size, std::string_view leaf, const std::vector<std::string>& proof,
                      std::string_view root);
bool verify_consistency(uint64_t old_size, std::string_view old_root, uint64_t size, std::string_view root,
                        const std::vector<std::string>& proof);

// A tree that is held as a whole.
class MerkleTree {
 public:
  void add(std::string leaf);
  uint64_t size() const { return levels_.empty() ? 0 : levels_[0].size(); }
  const std::string& leaf(uint64_t index) const { return levels_[0][index]; }
  std::string root(uint64_t size) const;  // size <= size()
  MerkleNodes nodes() const;              // as long as the tree lives and does not grow

 private:
  std::vector<std::vector<std::string>> levels_;  // of complete subtrees
};

}  // namespace cairn::recorder
