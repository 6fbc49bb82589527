#include "roclip/defense.h"

/// A post-training repair that does nothing: its model is that of plain CLIP, which is trained once for both.
class Repairs final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit Repairs(Params) {}
  std::string training_name() const override { return roclip::kPlainTraining; }
  void repair(roclip::TrainContext&) override {}
};

ROCLIP_DEFENSE(Repairs, "repairs/1", "plain CLIP with a repair that does nothing")
