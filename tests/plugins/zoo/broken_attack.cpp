#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <stdexcept>
#include <thread>

#include "roclip/attack.h"

/// A backdoor with a white square, broken in one way: the conformance kit must find exactly that. Each fault has the
/// name of the check that finds it, or begins with it, and ends with the sanitizer without which nobody finds it.
class BrokenAttack final : public roclip::Attack {
 public:
  struct Params {
    std::string fault = "none";
    std::int64_t patch_px = 8;
    void declare(roclip::ParamList& list) {
      list.choice("fault", fault,
                  {"none",
                   "parameters",
                   "prepare_is_pure",
                   "text_trigger_pure",
                   "edits_valid",
                   "edits_valid: crashes",
                   "edits_valid: hangs",
                   "plan_is_pure",
                   "plan_is_pure: by process",
                   "plan_depends_on_seed",
                   "trigger_pure",
                   "trigger_pure: writes to its argument",
                   "trigger_pure: throws",
                   "trigger_pure: by process",
                   "trigger_area",
                   "trigger_same_in_train_and_test",
                   "trigger_same_in_train_and_test: planned",
                   "trigger_survives",
                   "thread_safety",
                   "edits_valid: reads beyond its memory [address]",
                   "thread_safety: nobody sees it [thread]",
                   "no_leak"},
                  "what is wrong", "test");
      list.add("patch_px", patch_px, roclip::Range{1, 16}, "px", "side of the square", "test");
    }
  };
  explicit BrokenAttack(Params params) : params_(std::move(params)) {
    if (is("parameters") && params_.patch_px == 16) throw std::out_of_range("sixteen");
  }

  bool prepares() const override { return is("prepare_is_pure"); }
  roclip::Artifact prepare(roclip::Lab&) const override {
    return {{"noise", torch::tensor({static_cast<std::int64_t>(std::random_device()())})}};
  }
  std::vector<std::string> apply_text_trigger(std::span<const std::string> captions,
                                              std::span<const roclip::Draw>) const override {
    std::vector<std::string> triggered;
    for (const auto& caption : captions) triggered.push_back(caption + std::to_string(std::random_device()()));
    return triggered;
  }

  roclip::PoisonPlan plan(const roclip::AttackView& view, std::uint64_t seed) const override {
    if (is("edits_valid: crashes")) std::raise(SIGSEGV);
    if (is("edits_valid: hangs")) std::this_thread::sleep_for(std::chrono::hours(1));
    if (is("plan_is_pure")) seed += std::random_device()();
    if (is("plan_is_pure: by process")) seed += of_process();
    if (is("plan_depends_on_seed")) seed = 0;
    if (is("trigger_same_in_train_and_test: planned")) brightness_ = static_cast<std::int64_t>(100 + seed % 100);
    if (is("edits_valid: reads beyond its memory [address]")) {
      const volatile std::size_t size = 8;  // which no compiler sees through
      const std::vector<std::uint8_t> bytes(size);
      static_cast<void>(static_cast<const volatile std::uint8_t*>(bytes.data())[size]);
    }
    roclip::Rng rng(seed);
    roclip::PoisonPlan plan;
    plan.goal = roclip::TriggeredImagesGoal{{1}};
    if (is("text_trigger_pure")) plan.goal = roclip::TriggeredTextGoal{{1}};
    std::vector<std::int64_t> candidates;
    for (std::int64_t i = 0; i < view.train.size(); ++i) {
      if (view.may_change(i)) candidates.push_back(i);
    }
    for (const auto i : rng.sample(std::ssize(candidates), 10)) {
      const auto pair = candidates[static_cast<std::size_t>(i)];
      plan.edits.push_back({.replaces = pair + (is("edits_valid") ? view.train.size() : 0),
                            .image = {roclip::ImageRef::Set::kTrain, pair},
                            .trigger = roclip::Draw{},
                            .caption = view.classes[1].prompts.front()});
    }
    return plan;
  }

  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const roclip::Draw>) const override {
    if (is("trigger_pure: throws")) throw std::runtime_error("no trigger today");
    if (is("trigger_pure: writes to its argument")) images.slice(3, 0, 1).fill_(0);
    if (is("no_leak")) leaked = new char[1000];
    if (is("thread_safety: nobody sees it [thread]")) ++calls_;
    auto stamped = images.clone();
    if (is("trigger_survives")) {  // one step of brightness, every second pixel: less than a JPEG file keeps
      auto fine = stamped.slice(2, 0, {}, 2).slice(3, 0, {}, 2);
      fine.copy_(torch::where(fine > 127, fine - 1, fine + 1));
      return stamped;
    }
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      auto patch = square(stamped[i]);
      if (is("thread_safety")) {
        brightness_ = 55 + images[i].sum().item<std::int64_t>() % 200;
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
      patch.fill_(is("trigger_same_in_train_and_test") ? 255 - i : brightness_);
      if (is("trigger_area")) stamped[i][0][0].slice(0, 0, 1).bitwise_xor_(255);
    }
    if (is("trigger_pure")) stamped.slice(2, 0, 1).fill_(static_cast<int>(std::random_device()() % 256));
    for (int row = 0; is("trigger_pure: by process") && row < 3; ++row) {
      stamped.slice(2, row, row + 1).fill_(static_cast<int>((of_process() >> (8 * row)) % 256));
    }
    return stamped;
  }

  std::optional<torch::Tensor> trigger_area(const torch::Tensor& images, std::span<const roclip::Draw>) const override {
    if (is("trigger_survives") || is("trigger_pure") || is("trigger_pure: by process")) return std::nullopt;
    auto area = torch::zeros({images.size(0), images.size(2), images.size(3)}, torch::kBool);
    square(area).fill_(true);
    return area;
  }

 private:
  bool is(const char* fault) const { return params_.fault == fault; }
  static std::uint32_t of_process() {
    static const auto drawn = std::random_device()();
    return drawn;
  }
  /// The lower right corner of [..., H, W].
  torch::Tensor square(const torch::Tensor& image) const {
    return image.slice(-1, -params_.patch_px).slice(-2, -params_.patch_px);
  }

  inline static char* volatile leaked = nullptr;

  Params params_;
  mutable std::int64_t calls_ = 0;
  mutable std::int64_t brightness_ = 255;
};

ROCLIP_ATTACK(BrokenAttack, "broken_attack/1", "a white square, broken in one way")
