/// Captions to token ids.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <torch/types.h>

#include "harness/model/spec.h"
#include "roclip/dataset.h"

namespace roclip::bench {

/// Ids of tokens are first .. first + count - 1; row i of an embedding is that of id first + i.
struct TokenIds {
  std::int64_t first, count;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual TokenIds ids() const = 0;
  /// Hash of which token each id is, without those that only poisons have: weights fit one fingerprint only.
  virtual std::string fingerprint() const = 0;
  /// What a study has made of it, for restore_tokenizer(); null if its description says all.
  virtual Json state() const = 0;
  /// @return i64 [B, L], L = the longest caption, at most `context_length`; behind a caption's end is 0, which is the
  /// id of no token. No row is empty.
  virtual torch::Tensor tokenize(std::span<const std::string> captions, std::int64_t context_length) const = 0;
};

/// @throws Error(kMatrix), Error(kData) if it needs a file that is not there, or is another
void check_tokenizer(const TokenizerSpec& spec);

class Vocabulary;

/// @param words of the study, which is what the kind "words" takes @param pairs clean ones, which byte pairs are
/// trained on. @throws Error
std::shared_ptr<const Tokenizer> make_tokenizer(const TokenizerSpec& spec, std::shared_ptr<const Vocabulary> words,
                                                const PairSource& pairs);
/// The tokenizer that state() was of. @throws Error(kData) for a state that none has
std::shared_ptr<const Tokenizer> restore_tokenizer(const TokenizerSpec& spec, const Json& state);

}  // namespace roclip::bench
