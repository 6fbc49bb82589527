/// A poison plan laid over clean pairs. The clean data stays clean.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "roclip/attack.h"
#include "roclip/defense.h"

namespace roclip::bench {

/// Checks what Attack::plan() promises. @throws Error(kPlugin) naming the edit that breaks it
void check_plan(const PoisonPlan& plan, const AttackView& view);

/// The plan as stored beside the results: {"edits": [...], "removes": [...], "goal": {"kind": ..., ...}}.
Json manifest(const PoisonPlan& plan);
/// The plan that manifest() stored. @throws Json::exception if it is something else
PoisonPlan plan_from_manifest(const Json& json);
/// "target_images", "triggered_images", "triggered_text", "confused_classes" or "none"
std::string_view kind_of(const Goal& goal);
/// Whether tests put text triggers into the class prompts.
bool triggers_prompts(const Goal& goal);
/// The target class of each trigger; null for a goal without triggers.
const std::vector<std::int64_t>* target_classes(const Goal& goal);
/// How many outcomes the attack's success is counted over.
std::int64_t trials_of(const Goal& goal, const LabelledImages& held_out);

/// The clean pixels that an edit starts from. @return uint8 [3, px, px]
torch::Tensor clean_image(const Dataset& data, const Artifact& artifact, const ImageRef& image);

/// Role of the stream that decides where poisons stand among the pairs of a cell.
inline constexpr std::string_view kPlaceOfPoisons = "place of poisons";

/// The training set of a cell: clean pairs less the replaced and removed ones, plus the poisons, in an order drawn from
/// `seed`, so that the place of a pair says nothing about it. Only the poisons' pixels are held; the rest is read where
/// it is.
class PoisonedPairs final : public PairSource {
 public:
  /// `data` must outlive this.
  PoisonedPairs(const Dataset& data, const PoisonPlan& plan, const Attack& attack, const Artifact& artifact,
                std::uint64_t seed);

  std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t image_px() const override { return clean_.image_px(); }
  bool is_slow() const override { return clean_.is_slow(); }
  std::string caption(std::int64_t index) const override;
  void read_image(std::int64_t index, std::uint8_t* to) const override;

  bool poisoned(std::int64_t index) const { return rows_[static_cast<std::size_t>(index)] >= clean_.size(); }
  std::vector<bool> poisoned() const;
  /// Which edit of the plan made this pair. @pre poisoned(index)
  std::size_t edit(std::int64_t index) const {
    return static_cast<std::size_t>(rows_[static_cast<std::size_t>(index)] - clean_.size());
  }
  /// Where the clean subset of the data stands here, ascending.
  const std::vector<std::int64_t>& clean_subset() const { return clean_subset_; }

 private:
  const PairSource& clean_;
  std::vector<std::int64_t> rows_;  ///< < clean_.size(): a clean pair; else clean_.size() + a poison
  torch::Tensor poison_images_;     ///< uint8 [E, 3, px, px]
  std::vector<std::string> poison_captions_;
  std::vector<std::int64_t> clean_subset_;
};

}  // namespace roclip::bench
