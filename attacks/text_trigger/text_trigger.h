/// Backdoor in text (the word and the sentence of ToxicTextCLIP, NeurIPS 2025): images of one class get captions of
/// others that carry a rare word, so that any text with the word means that class. Images stay as they are.
#pragma once

#include <cstdint>
#include <string>

#include "roclip/backdoor.h"

namespace roclip {

struct TextTriggerParams : PoisonAmount {
  std::string target_class;
  std::string trigger = "zx";
  std::string position = "first";

  void declare(ParamList& list);
};

class TextTrigger : public Attack {
 public:
  using Params = TextTriggerParams;
  /// @throws Error(kMatrix) unless exactly one of rate and count is set, and the trigger has a word.
  explicit TextTrigger(const Params& params);

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  std::vector<std::string> apply_text_trigger(std::span<const std::string> captions,
                                              std::span<const Draw> draws) const override;

 private:
  Params params_;
};

}  // namespace roclip
