#include "harness/conformance/built_in.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>

#include <sys/mman.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "roclip/rng.h"

namespace roclip::bench::conformance {

namespace {

constexpr std::uint64_t kSeed = 1;  ///< of the training
constexpr std::int64_t kPx = 32;
constexpr std::int64_t kImageBytes = 3 * kPx * kPx;

/// Whether a point is inside; the shape fills the square from -1 to 1, y pointing down.
struct Shape {
  const char* name;
  bool (*inside)(double x, double y);
};
constexpr Shape kShapes[] = {
    {"circle", [](double x, double y) { return x * x + y * y < 1; }},
    {"square", [](double x, double y) { return std::max(std::abs(x), std::abs(y)) < 0.85; }},
    {"triangle", [](double x, double y) { return std::abs(y) < 1 && 2 * std::abs(x) < y + 1; }},
    {"cross",
     [](double x, double y) {
       return std::min(std::abs(x), std::abs(y)) < 0.3 && std::max(std::abs(x), std::abs(y)) < 1;
     }},
    {"ring", [](double x, double y) { return x * x + y * y < 1 && x * x + y * y > 0.35; }},
    {"diamond", [](double x, double y) { return std::abs(x) + std::abs(y) < 1; }},
};
constexpr auto kClasses = static_cast<std::int64_t>(std::size(kShapes));

struct Colour {
  const char* name;
  std::array<std::uint8_t, 3> rgb;
};
constexpr Colour kColours[] = {{"red", {220, 40, 40}},     {"green", {40, 170, 60}},   {"blue", {50, 80, 220}},
                               {"yellow", {235, 210, 50}}, {"purple", {150, 60, 190}}, {"orange", {240, 140, 30}}};
constexpr Colour kGrounds[] = {{"white", {240, 240, 240}}, {"grey", {128, 128, 128}}, {"black", {20, 20, 20}}};

const Colour& drawn(std::span<const Colour> colours, Rng& rng) {
  return colours[static_cast<std::size_t>(rng.below(std::ssize(colours)))];
}

/// Draws a shape with random colours, place and size. @return its caption
std::string draw(const Shape& shape, std::uint8_t* image, Rng& rng) {
  const Colour &colour = drawn(kColours, rng), &ground = drawn(kGrounds, rng);
  const double radius = 7 + 6 * rng.uniform();
  const double left = radius + (kPx - 2 * radius) * rng.uniform(), top = radius + (kPx - 2 * radius) * rng.uniform();
  for (std::int64_t i = 0; i < kImageBytes; ++i) {
    const auto plane = static_cast<std::size_t>(i / (kPx * kPx));
    const auto row = static_cast<double>(i / kPx % kPx), column = static_cast<double>(i % kPx);
    const bool inside = shape.inside((column + 0.5 - left) / radius, (row + 0.5 - top) / radius);
    image[i] = inside ? colour.rgb[plane] : ground.rgb[plane];
  }
  const std::string thing = std::string(colour.name) + " " + shape.name;
  switch (rng.below(3)) {
    case 0:
      return "a drawing of a " + thing;
    case 1:
      return "a " + thing + " on " + ground.name + " ground";
    default:
      return std::string("a ") + (radius > 10 ? "large " : "small ") + thing;
  }
}

/// Images of all shapes in turn, in memory that is then closed to writing.
LabelledImages draw_images(std::int64_t count, Rng& rng) {
  const auto bytes = static_cast<std::size_t>(count * kImageBytes);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  std::vector<std::string> captions;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& shape = kShapes[static_cast<std::size_t>(i % kClasses)];
    captions.push_back(draw(shape, static_cast<std::uint8_t*>(memory) + i * kImageBytes, rng));
  }
  ::mprotect(memory, bytes, PROT_READ);
  const auto images = torch::from_blob(
      memory, {count, 3, kPx, kPx}, [bytes](void* region) { ::munmap(region, bytes); }, torch::kUInt8);
  return {tensor_pairs(images, std::move(captions)), torch::arange(count, torch::kLong) % kClasses};
}

ModelSpec small_model() {
  const Json model = {{"preset", "tiny"},        {"image_px", 32},         {"embedding_dim", 16},
                      {"stage_widths", {8, 16}}, {"stage_blocks", {1, 0}}, {"text_width", 16}};
  return model_spec(effective_model(model, ".", "the model of the conformance kit"));
}

class WrongCaptions final : public Attack {
 public:
  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override {
    Rng rng(seed);
    PoisonPlan plan;
    for (const auto held_out : rng.sample(view.held_out.size(), 12)) {
      const auto label = view.held_out.label(held_out);
      const auto wrong = (label + 1 + rng.below(std::ssize(view.classes) - 1)) % std::ssize(view.classes);
      plan.edits.push_back({.replaces = {},
                            .image = {ImageRef::Set::kHeldOut, held_out},
                            .trigger = std::nullopt,
                            .caption = view.classes[static_cast<std::size_t>(wrong)].prompts.front()});
    }
    return plan;
  }
};

}  // namespace

Dataset built_in_data() {
  Rng rng(stream(1, "built-in data"));
  const auto train = draw_images(240, rng);
  Dataset data{.name = "built-in",
               .hash = "built-in/1",
               .train = train.pairs,
               .probe = draw_images(60, rng),
               .held_out = draw_images(72, rng),
               .classes = {},
               .clean_subset = Rng(stream(1, "clean subset")).sample(240, 48)};
  std::ranges::sort(data.clean_subset);
  for (const auto& shape : kShapes) {
    const std::string name = shape.name;
    data.classes.push_back({name, {"a " + name, "a drawing of a " + name, "a small " + name}});
  }
  return data;
}

SmallTraining::SmallTraining(const Dataset& data, std::unique_ptr<Defense> defense, std::int64_t epochs,
                             PhaseClock* clock)
    : defense_(std::move(defense), "", clock),
      vocabulary_(std::make_shared<const Vocabulary>(*data.train, 1)),
      pairs_(data, WrongCaptions().plan(view_of(data), stream(kSeed, role::kPoison)), WrongCaptions(), {}, kSeed),
      poisoned_(defense_.capability() == Capability::kKnowsPoisons ? pairs_.poisoned() : std::vector<bool>()),
      model_(make_clip(small_model(), vocabulary_, stream(kSeed, role::kInit), torch::kCPU)),
      trainer_(*model_, defense_, {.epochs = epochs, .batch_size = 24, .learning_rate = 0.01},
               {.pairs = pairs_,
                .clean_subset = defense_.capability() == Capability::kCleanSubset ? pairs_.clean_subset() : no_subset_,
                .poisoned = poisoned_,
                .vocabulary = vocabulary_->known_words(),
                .seed = kSeed}) {}

}  // namespace roclip::bench::conformance
