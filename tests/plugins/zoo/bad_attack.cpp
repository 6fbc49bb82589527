#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "roclip/attack.h"

/// Fails while it plans.
class BadAttack final : public roclip::Attack {
 public:
  struct Params {
    std::string how = "throws";
    void declare(roclip::ParamList& list) {
      list.choice("how", how, {"throws", "crashes", "hangs", "out_of_range"}, "what goes wrong", "test");
    }
  };
  explicit BadAttack(Params params) : params_(std::move(params)) {}
  roclip::PoisonPlan plan(const roclip::AttackView& view, std::uint64_t) const override {
    if (params_.how == "throws") throw std::runtime_error("cannot plan");
    if (params_.how == "crashes") {
      std::signal(SIGSEGV, SIG_DFL);
      std::raise(SIGSEGV);
    }
    if (params_.how == "hangs") std::this_thread::sleep_for(std::chrono::hours(1));
    roclip::PoisonPlan plan;
    plan.edits.push_back({.replaces = view.train.size(), .image = {}, .trigger = {}, .caption = "x"});
    return plan;
  }

 private:
  Params params_;
};

ROCLIP_ATTACK(BadAttack, "bad_attack/1", "fails while it plans")
