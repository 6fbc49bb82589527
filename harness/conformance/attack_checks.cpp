#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <thread>

#include <torch/types.h>
#include <torch/utils.h>
#include <opencv2/core/mat.hpp>
#include <opencv2/imgcodecs.hpp>

#include "harness/conformance/built_in.h"
#include "harness/conformance/check.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/record/files.h"
#include "harness/record/text.h"
#include "roclip/attack.h"
#include "roclip/augment.h"
#include "roclip/clip_model.h"

namespace roclip::bench::conformance {

namespace {

constexpr std::int64_t kImages = 48;      ///< stamped in most checks
constexpr double kLeastEnergyLeft = 0.1;  ///< of a trigger that a model can still be expected to learn

/// The defense that an adaptive attack is told of.
const Json& some_defense() {
  static const Json defense = {{"plugin", "some_defense/1"},
                               {"params", {{"pool_fraction", 0.02}, {"match_every", 2}, {"first_matching_epoch", 1}}}};
  return defense;
}

/// A lab on the built-in data, with a small surrogate.
class SmallLab final : public Lab {
 public:
  explicit SmallLab(const Dataset& data) : data_(data), view_(view_of(data, &some_defense())) {}
  const AttackView& view() const override { return view_; }
  std::uint64_t seed() const override { return 1; }
  ClipModel& surrogate(std::int64_t) override {
    if (!training_) {
      training_ = std::make_unique<SmallTraining>(data_);
      training_->run();
    }
    return training_->model();
  }

 private:
  const Dataset& data_;
  AttackView view_;
  std::unique_ptr<SmallTraining> training_;
};

Artifact prepared(const Attack& attack, const Subject& subject) {
  SmallLab lab(subject.data);
  return call_hook("", "prepare()", [&] { return attack.prepare(lab); });
}

/// Ready to plan and to stamp.
std::unique_ptr<Attack> make(const Subject& subject) {
  std::unique_ptr<Attack> attack(subject.plugin.make_attack(subject.params));
  if (!attack->prepares()) return attack;
  static const Artifact artifact = prepared(*attack, subject);  // once a process
  call_hook("", "adopt()", [&] { attack->adopt(artifact); });
  return attack;
}

PoisonPlan plan_of(const Attack& attack, const Subject& subject, std::uint64_t seed = 1) {
  const auto view = view_of(subject.data, attack.knows_defense() ? &some_defense() : nullptr);
  return call_hook("", "plan()", [&] { return attack.plan(view, stream(seed, role::kPoison)); });
}

/// Stamps a copy, so that an attack that writes to its argument does so in one check only.
torch::Tensor stamped(const Attack& attack, const torch::Tensor& images, std::span<const Draw> draws) {
  return call_hook("", "apply_trigger()", [&] { return attack.apply_trigger(images.clone(), draws); });
}
torch::Tensor stamped(const Attack& attack, const torch::Tensor& images) {
  return stamped(attack, images, some_draws(images.size(0)));
}

torch::Tensor some_images(const Subject& subject) { return subject.data.held_out.images(0, kImages); }

/// Whether the attack stamps images at all.
bool stamps(const PoisonPlan& plan) {
  return std::holds_alternative<TriggeredImagesGoal>(plan.goal) ||
         std::ranges::any_of(plan.edits, [](const Edit& edit) { return edit.trigger.has_value(); });
}

void expect_equal(const torch::Tensor& a, const torch::Tensor& b, const std::string& seen, const std::string& fix) {
  expect(a.sizes() == b.sizes() && a.equal(b), seen, fix);
}

Finding prepare_is_pure(const Subject& subject) {
  const std::unique_ptr<Attack> attack(subject.plugin.make_attack(subject.params));
  if (!attack->prepares()) return skipped("it has nothing to prepare");
  const auto hash = [&] {
    Json hashes = Json::object();
    for (const auto& [name, tensor] : prepared(*attack, subject)) hashes[name] = hash_of(tensor);
    return hashes;
  };
  const Json hashes = hash();
  expect(hash() == hashes, "a second prepare() gives a different artifact",
         "draw from Rng(lab.seed()) only, and do not change the surrogate");
  return {std::to_string(hashes.size()) + " equal tensors from 2 calls and 2 processes", hashes};
}

/// One text for each, the same each time, alone and among others.
Finding text_trigger_pure(const Subject& subject) {
  const auto attack = make(subject);
  const auto plan = plan_of(*attack, subject);
  if (!triggers_prompts(plan.goal)) return skipped("its goal has no text trigger");
  std::vector<std::string> texts;
  for (std::int64_t i = 0; i < kImages; ++i) texts.push_back(subject.data.held_out.pairs->caption(i));
  const auto draws = some_draws(kImages);
  const auto triggered = [&](std::span<const std::string> captions, std::span<const Draw> of) {
    return call_hook("", "apply_text_trigger()", [&] { return attack->apply_text_trigger(captions, of); });
  };
  const auto all = triggered(texts, draws);
  expect(all.size() == texts.size(),
         "apply_text_trigger() gives " + std::to_string(all.size()) + " texts for " + std::to_string(texts.size()),
         "return one text for each caption");
  expect(all != texts, "apply_text_trigger() changes no caption", "add the trigger to the caption");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    expect(triggered({&texts[i], 1}, {&draws[i], 1}).at(0) == all[i],
           "a caption gets a different text alone than in a batch",
           "let the trigger depend on the caption and its draw only");
  }
  return {"\"" + texts.front() + "\" becomes \"" + all.front() + "\"", {{"texts", all}}};
}

Finding edits_valid(const Subject& subject) {
  const auto attack = make(subject);
  const auto plan = plan_of(*attack, subject);
  try {
    check_plan(plan, view_of(subject.data));
  } catch (const Error& e) {
    throw ContractViolation(e.what(),
                            "take indices from the view that plan() is given, and replace each pair at most once");
  }
  const auto triggered = std::ranges::count_if(plan.edits, [](const Edit& edit) { return edit.trigger.has_value(); });
  const std::string goal(kind_of(plan.goal));
  return {std::to_string(plan.edits.size()) + " edits, " + std::to_string(triggered) + " with a trigger; goal " + goal,
          {{"edits", plan.edits.size()}, {"triggered", triggered}, {"goal", goal}}};
}

Finding plan_is_pure(const Subject& subject) {
  const auto first = make(subject), second = make(subject);
  const auto plan = plan_of(*first, subject, 1);
  plan_of(*first, subject, 2);
  try {
    stamped(*first, some_images(subject));
  } catch (const std::exception&) {  // what trigger_pure will tell
  }
  const std::string fix = "draw from Rng(seed) only: no clock, no std::random_device, no counter that outlives a call";
  expect(plan_of(*first, subject) == plan, "a second call with the same seed gives a different plan", fix);
  expect(plan_of(*second, subject) == plan, "another object gives a different plan with the same seed", fix);
  return {"equal plans from 2 objects, 2 calls and 2 processes", {{"hash", hash_hex(manifest(plan).dump())}}};
}

Finding plan_depends_on_seed(const Subject& subject) {
  constexpr std::uint64_t kSeeds = 5;
  const auto attack = make(subject);
  const auto plan = plan_of(*attack, subject, 1);
  if (plan == PoisonPlan{}) return skipped("its plan is empty");
  for (std::uint64_t seed = 2; seed <= kSeeds; ++seed) {
    if (plan_of(*attack, subject, seed) != plan) return {"a different plan with seed " + std::to_string(seed)};
  }
  throw ContractViolation(
      std::to_string(kSeeds) + " seeds give the same plan",
      "draw every choice from Rng(seed); if there is nothing to choose, as with stored poisons, pass "
      "--accept plan_depends_on_seed");
}

Finding trigger_pure(const Subject& subject) {
  const auto attack = make(subject);
  const auto images = some_images(subject), before = images.clone();
  const auto draws = some_draws(kImages);
  const auto once = call_hook("", "apply_trigger()", [&] { return attack->apply_trigger(images, draws); });
  expect_equal(images, before, "apply_trigger() changes its argument", "stamp a copy: auto stamped = images.clone()");
  check_stamped(once, images);
  expect(!once.is_alias_of(images), "apply_trigger() returns its argument", "return a copy: images.clone()");
  const std::string fix =
      "let the trigger depend on the parameters, the image and its draw only; draw a pattern in the constructor from a "
      "stream with a fixed seed, and draw what differs between images from Rng(draw.value)";
  expect_equal(stamped(*attack, before), once, "a second call on the same images gives different pixels", fix);
  expect_equal(stamped(*make(subject), before), once, "another object with the same parameters gives different pixels",
               fix);
  return {"equal pixels from 2 objects, 2 calls and 2 processes", hash_of(once)};
}

Finding trigger_area(const Subject& subject) {
  const auto attack = make(subject);
  const auto images = some_images(subject);
  const auto area = attack->trigger_area(images.clone(), some_draws(kImages));
  if (!area) return skipped("trigger_area() says that all pixels may change");
  expect(area->scalar_type() == torch::kBool && area->sizes() == images.select(1, 0).sizes(),
         "trigger_area() does not give bool [B, H, W]", "return one mask for each image");
  const auto outside = ((stamped(*attack, images) != images).any(1) & ~*area).nonzero();  // [pixels, 3]
  if (outside.size(0) > 0) {
    const auto at = [&](int column) { return std::to_string(outside[0][column].item<std::int64_t>()); };
    throw ContractViolation(
        std::to_string(outside.size(0)) + " pixels outside of trigger_area() change, the first in image " + at(0) +
            " at row " + at(1) + ", column " + at(2),
        "use one function for the place in apply_trigger() and trigger_area(), or return std::nullopt");
  }
  const double share = area->to(torch::kFloat).mean().item<double>();
  return {format("no pixel outside of it changes; it covers %.1f %% of the images", 100 * share), {{"share", share}}};
}

Finding trigger_same_in_train_and_test(const Subject& subject) {
  const auto attack = make(subject);
  const auto images = some_images(subject);
  const auto expected = stamped(*attack, images);
  std::vector<torch::Tensor> alone;
  const auto draws = some_draws(kImages);
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    alone.push_back(stamped(*attack, images.narrow(0, i, 1), {&draws[static_cast<std::size_t>(i)], 1}));
  }
  expect_equal(torch::cat(alone), expected, "an image gets different pixels alone than in a batch",
               "training stamps images one by one and tests stamp batches: do not use the rest of the batch");
  const std::vector<Draw> backwards(draws.rbegin(), draws.rend());
  expect_equal(stamped(*attack, images.flip(0), backwards).flip(0), expected,
               "an image gets different pixels at another place in the batch", "do not use the index in the batch");
  const auto channels_last = images.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
  expect_equal(attack->apply_trigger(channels_last, draws), expected, "images with other strides get different pixels",
               "call .contiguous() before data_ptr()");
  for (const std::uint64_t seed : {1, 2}) {
    plan_of(*attack, subject, seed);
    expect_equal(stamped(*attack, images), expected, "after plan() the images get different pixels",
                 "plan() must not change the trigger: a run that reads a stored plan does not call plan()");
  }
  return {"equal pixels alone, in a batch, in any memory layout, before and after plan()"};
}

/// Each image encoded and decoded. @param images uint8 [B, 3, H, W]
torch::Tensor through_file(const torch::Tensor& images, const std::string& format, int quality) {
  const auto rows = images.flip(1).permute({0, 2, 3, 1}).contiguous();  // OpenCV wants BGR
  auto decoded = torch::empty_like(rows);
  const auto size = static_cast<int>(rows.size(1));
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    std::vector<std::uint8_t> bytes;
    cv::imencode(format, cv::Mat(size, size, CV_8UC3, rows[i].data_ptr()), bytes, {cv::IMWRITE_JPEG_QUALITY, quality});
    const auto image = cv::imdecode(bytes, cv::IMREAD_COLOR);
    std::copy_n(image.data, decoded[i].nbytes(), decoded[i].data_ptr<std::uint8_t>());
  }
  return decoded.permute({0, 3, 1, 2}).flip(1);
}

/// Energy is the sum of squared differences that the trigger makes. Augmentation is drawn alike for images with and
/// without it. A file format adds noise of its own, so there only what still points the trigger's way counts: the
/// square of the projection on it.
Finding trigger_survives(const Subject& subject) {
  const auto attack = make(subject);
  const auto plan = plan_of(*attack, subject);
  if (!stamps(plan)) return skipped("it plans no image with a trigger");
  const auto clean = subject.data.held_out.images(0, subject.data.held_out.size());
  const auto triggered = stamped(*attack, clean);
  const auto a = to_pixels(clean, torch::kCPU), b = to_pixels(triggered, torch::kCPU);
  const auto trigger = b - a;
  const double energy = trigger.square().sum().item<double>();
  expect(energy != 0, "apply_trigger() changes no pixel", "override apply_trigger()");

  constexpr int kDraws = 4;
  double augmented = 0;
  for (std::uint64_t draw = 1; draw <= kDraws; ++draw) {
    Rng with(draw), without(draw);
    const auto left = ImageAugmentation{}.apply(b, with) - ImageAugmentation{}.apply(a, without);
    augmented += left.square().sum().item<double>() / energy / kDraws;
  }
  const auto stored = [&](const std::string& format, int quality) {
    const auto left = to_pixels(through_file(triggered, format, quality), torch::kCPU) -
                      to_pixels(through_file(clean, format, quality), torch::kCPU);
    const double share = (left * trigger).sum().item<double>() / energy;
    return share * share;
  };
  const double png = stored(".png", 0), jpeg_90 = stored(".jpg", 90), jpeg_75 = stored(".jpg", 75);
  const auto percent = [](double share) { return format("%.0f %%", 100 * share); };
  expect(std::min({augmented, png, jpeg_90}) >= kLeastEnergyLeft,
         "of the trigger's energy, " + percent(augmented) + " is left after augmentation, " + percent(png) +
             " after PNG, " + percent(jpeg_90) + " after JPEG of quality 90",
         "at least " + percent(kLeastEnergyLeft) +
             " must be left: make the trigger stronger, larger or smoother; if it is meant for images that "
             "nobody stores or augments, pass --accept trigger_survives");
  return {percent(augmented) + " of its energy is left after augmentation, " + percent(jpeg_90) +
              " after JPEG of quality 90, " + percent(jpeg_75) + " after 75",
          {{"augmentation", augmented}, {"png", png}, {"jpeg_90", jpeg_90}, {"jpeg_75", jpeg_75}}};
}

Finding thread_safety(const Subject& subject) {
  constexpr std::int64_t kThreads = 8, kShare = kImages / kThreads;
  constexpr int kRounds = 20;
  const auto attack = make(subject);
  const auto images = some_images(subject);
  const auto expected = stamped(*attack, images);
  std::atomic<int> other_pixels{0};
  std::vector<std::exception_ptr> thrown(kThreads);
  std::latch start(kThreads);
  const auto work = [&](std::int64_t thread) {
    const auto own = images.narrow(0, thread * kShare, kShare).clone();
    const auto own_expected = expected.narrow(0, thread * kShare, kShare);
    const auto draws = some_draws(kImages);
    const auto own_draws = std::span(draws).subspan(static_cast<std::size_t>(thread * kShare), kShare);
    start.arrive_and_wait();
    try {
      for (int round = 0; round < kRounds; ++round) {
        other_pixels += !attack->apply_trigger(own, own_draws).equal(own_expected);
      }
    } catch (...) {
      thrown[static_cast<std::size_t>(thread)] = std::current_exception();
    }
  };
  {
    at::set_num_threads(1);  // renews LibTorch's thread pool after fork(), which it does not do safely from two threads
    std::vector<std::jthread> threads;
    for (std::int64_t thread = 0; thread < kThreads; ++thread) threads.emplace_back(work, thread);
  }
  for (const auto& exception : thrown) {
    if (exception) std::rethrow_exception(exception);
  }
  expect(other_pixels == 0,
         std::to_string(other_pixels) + " of " + std::to_string(kThreads * kRounds) +
             " calls of apply_trigger() from 8 threads at once give different pixels than a call alone",
         "keep no scratch values in members or statics: const functions may run in several threads");
  return {"equal pixels from 8 threads at once"};
}

Finding no_leak(const Subject& subject) {
  return check_no_leak([&] {
    const auto attack = make(subject);
    plan_of(*attack, subject);
    const auto images = some_images(subject);
    stamped(*attack, images);
    attack->trigger_area(images, some_draws(kImages));
  });
}

Finding time_per_call(const Subject& subject) {
  const auto attack = make(subject);
  const auto images = some_images(subject);
  const double plan_s = median_s(5, [&] { plan_of(*attack, subject); });
  const auto draws = some_draws(kImages);
  const double image_s = median_s(9, [&] { attack->apply_trigger(images, draws); }) / kImages;
  return {"plan() " + duration(plan_s) + ", apply_trigger() " + duration(image_s) + " an image",
          {{"plan_s", plan_s}, {"image_s", image_s}}};
}

}  // namespace

const std::vector<Check>& attack_checks() {
  static const std::vector<Check> checks = {
      {"parameters", "Wrong values are refused and allowed values can be used.", {}, &check_parameters},
      {"prepare_is_pure", "prepare() gives the same artifact.", {}, &prepare_is_pure, kTwoProcesses},
      {"edits_valid", "plan() gives edits and a goal that exist.", {}, &edits_valid},
      {"text_trigger_pure",
       "apply_text_trigger() changes captions in the same way each time.",
       {"edits_valid"},
       &text_trigger_pure,
       kTwoProcesses},
      {"plan_is_pure", "The same seed gives the same plan.", {"edits_valid"}, &plan_is_pure, kTwoProcesses},
      {"plan_depends_on_seed", "Another seed gives a different plan.", {"plan_is_pure"}, &plan_depends_on_seed},
      {"trigger_pure",
       "apply_trigger() stamps a copy in the same way each time.",
       {"edits_valid"},
       &trigger_pure,
       kTwoProcesses},
      {"trigger_area", "The trigger changes no pixel outside of trigger_area().", {"trigger_pure"}, &trigger_area},
      {"trigger_same_in_train_and_test",
       "An image gets the same trigger alone, in a batch and after any plan().",
       {"trigger_pure", "plan_is_pure"},
       &trigger_same_in_train_and_test},
      {"trigger_survives",
       "Enough of the trigger is left after augmentation and image files.",
       {"trigger_same_in_train_and_test"},
       &trigger_survives},
      {"thread_safety",
       "Threads may plan and stamp at the same time.",
       {"plan_is_pure", "trigger_same_in_train_and_test"},
       &thread_safety},
      {"no_leak", "All memory is freed.", {"edits_valid", "trigger_pure"}, &no_leak},
      {"time_per_call", "How long do its functions take?", {"edits_valid", "trigger_pure"}, &time_per_call},
  };
  return checks;
}

}  // namespace roclip::bench::conformance
