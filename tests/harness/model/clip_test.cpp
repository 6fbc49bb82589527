#include <catch2/catch.hpp>

#include "harness/model/clip.h"
#include "harness/model/vocabulary.h"
#include "roclip/error.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

const std::vector<std::string> kCaptions = {"a red apple", "a green apple", "a red car"};

ModelSpec spec_of(const Json& model) { return model_spec(effective_model(model, ".", "m.json: /model")); }

std::unique_ptr<TrainableClip> clip_of(const ModelSpec& spec, std::uint64_t seed = 1) {
  return make_clip(spec, std::make_shared<Vocabulary>(kCaptions, 1), seed, torch::kCPU);
}

std::unique_ptr<TrainableClip> tiny(std::uint64_t seed) { return clip_of(spec_of("tiny"), seed); }

}  // namespace

TEST_CASE("the vocabulary is ordered by frequency, then spelling, and cuts long captions", "[clip]") {
  const Vocabulary vocabulary(kCaptions, 1);
  CHECK(vocabulary.known_words() == std::vector<std::string>{"a", "apple", "red", "car", "green"});
  const std::vector<std::string> captions = {"Red, red apple!", "", "purple car a a a"};
  CHECK(torch::equal(vocabulary.tokenize(captions, 4),
                     torch::tensor({{4, 4, 3, 0}, {1, 0, 0, 0}, {1, 5, 2, 2}}, torch::kLong)));
  CHECK(Vocabulary(kCaptions, 2).known_words() == std::vector<std::string>{"a", "apple", "red"});
}

TEST_CASE("both towers give unit rows of the embedding's size", "[clip]") {
  const auto model = tiny(1);
  const auto images = model->encode_image(torch::rand({3, 3, 32, 32}));
  const auto texts = model->encode_text(model->tokenize(kCaptions));
  for (const auto& rows : {images, texts}) {
    CHECK(rows.sizes() == std::vector<std::int64_t>{3, model->embedding_dim()});
    CHECK(torch::allclose(rows.norm(2, 1), torch::ones({3})));
  }
}

TEST_CASE("padding does not change a caption's embedding", "[clip]") {
  const auto model = tiny(1);
  const auto tokens = model->tokenize(kCaptions);
  const auto padded = torch::constant_pad_nd(tokens, {0, 4}, Vocabulary::kPadding);
  CHECK(torch::allclose(model->encode_text(tokens), model->encode_text(padded), 1e-4, 1e-6));
}

TEST_CASE("parts are unit rows in the space of the embeddings, and padding has none", "[clip]") {
  const auto model = tiny(1);
  const auto tokens = model->tokenize(std::vector<std::string>{"red apple", "car", "a green car"});
  const auto images = model->image_parts(torch::rand({3, 3, 32, 32})), texts = model->text_parts(tokens);
  CHECK(images.sizes() == std::vector<std::int64_t>{3, 4, model->embedding_dim()});  // 2 x 2 places
  CHECK(torch::allclose(images.norm(2, 2), torch::ones({3, 4})));
  CHECK(texts.sizes() == std::vector<std::int64_t>{3, 3, model->embedding_dim()});
  CHECK(torch::allclose(texts.norm(2, 2), (tokens != Vocabulary::kPadding).to(torch::kFloat32)));
}

TEST_CASE("the one place of an image, and the one word of a caption, is its embedding", "[clip]") {
  const auto model = clip_of(spec_of({{"image_px", 8}, {"stage_widths", {8, 16}}, {"stage_blocks", {1, 0}}}));
  const auto pixels = torch::rand({3, 3, 8, 8});
  CHECK(torch::allclose(model->image_parts(pixels).squeeze(1), model->encode_image(pixels), 1e-4, 1e-6));
  const auto tokens = model->tokenize(std::vector<std::string>{"red", "car", "apple"});
  CHECK(torch::allclose(model->text_parts(tokens).squeeze(1), model->encode_text(tokens), 1e-4, 1e-6));
}

TEST_CASE("equal seeds give equal initial weights to the bit, other seeds others", "[clip]") {
  CHECK(tiny(1)->weights_hash() == tiny(1)->weights_hash());
  CHECK(tiny(1)->weights_hash() != tiny(2)->weights_hash());
}

TEST_CASE("the temperature stays in its range", "[clip]") {
  const auto model = tiny(1);
  CHECK(model->logit_scale().item<double>() == Approx(1 / 0.07));
  {
    const torch::NoGradGuard no_grad;
    model->trainable().front().fill_(9);  // the only scalar parameter comes first
  }
  model->clamp_logit_scale();
  CHECK(model->logit_scale().item<double>() == Approx(100));
}

TEST_CASE("model parameters start from a preset and are checked", "[clip][config]") {
  CHECK(spec_of({{"preset", "tiny"}, {"embedding_dim", 16}}).embedding_dim == 16);
  CHECK_THROWS_WITH(spec_of("tinny"), Contains("did you mean \"tiny\"?"));
  CHECK_THROWS_WITH(spec_of({{"embeding_dim", 16}}), Contains("did you mean \"embedding_dim\"?"));
  CHECK_THROWS_WITH(spec_of({{"stage_blocks", {1}}}), Contains("as many numbers as stage_widths"));
  CHECK_THROWS_WITH(spec_of({{"text_heads", 3}}), Contains("multiple of text_heads"));
  CHECK_THROWS_AS(spec_of(3), Error);
}

TEST_CASE("a batch in parts has the loss and the gradients of the whole batch", "[clip][recompute]") {
  torch::manual_seed(1);
  const auto pixels = torch::rand({7, 3, 32, 32});
  const std::vector<std::string> captions = {"a red apple", "apple", "a green car", "red", "car", "a", "green apple"};
  const auto gradients = [&](std::int64_t micro_batch, bool recompute_layers = false) {
    const auto model = clip_of(spec_of("vit_tiny"));
    model->use({.recompute_layers = recompute_layers, .micro_batch = micro_batch});
    const auto tokens = model->tokenize(captions);
    auto loss = clip_loss(model->encode_image(pixels), model->encode_text(tokens), model->logit_scale());
    loss.backward();
    std::vector<torch::Tensor> all = {loss.detach()};
    for (const auto& parameter : model->trainable()) all.push_back(parameter.grad());
    return all;
  };
  const auto whole = gradients(0);
  for (const std::int64_t size : {1, 3, 100}) {
    const auto parts = gradients(size);
    REQUIRE(parts.size() == whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) CHECK(torch::allclose(parts[i], whole[i], 1e-3, 1e-5));
    const auto in_both_ways = gradients(size, /*recompute_layers=*/true);
    for (std::size_t i = 0; i < whole.size(); ++i) CHECK(in_both_ways[i].equal(parts[i]));
  }
}

TEST_CASE("layers that are computed again have the same loss and gradients to the bit", "[clip][recompute]") {
  const Json resnet = {{"embed_dim", 8},
                       {"tokenizer", "words"},
                       {"vision_cfg", {{"image_size", 32}, {"layers", {1, 2, 1, 1}}, {"width", 8}, {"head_width", 32}}},
                       {"text_cfg", {{"width", 16}, {"heads", 2}, {"layers", 2}}}};
  for (const Json& config : {Json("tiny"), Json("vit_tiny"), resnet}) {
    for (const bool bf16 : {false, true}) {
      CAPTURE(config.dump(), bf16);
      std::vector<std::vector<torch::Tensor>> found;
      for (const bool again : {false, true}) {
        const auto model = clip_of(spec_of(config));
        model->use({.bf16 = bf16, .recompute_layers = again});
        torch::manual_seed(3);
        auto pixels = torch::rand({4, 3, 32, 32}).requires_grad_();
        const auto tokens = model->tokenize(kCaptions);
        const auto loss = clip_loss(model->encode_image(pixels).narrow(0, 0, tokens.size(0)),
                                    model->encode_text(tokens), model->logit_scale());
        loss.backward();
        auto& all = found.emplace_back(std::vector{loss.detach(), pixels.grad()});
        for (const auto& parameter : model->trainable()) all.push_back(parameter.grad());
      }
      for (std::size_t i = 0; i < found[0].size(); ++i) CHECK(found[0][i].equal(found[1][i]));
    }
  }
}

TEST_CASE("pixels get their gradient through a batch in parts, too", "[clip][recompute]") {
  const auto model = clip_of(spec_of("vit_tiny"));
  const auto gradient = [&](std::int64_t micro_batch) {
    torch::manual_seed(2);
    auto pixels = torch::rand({4, 3, 32, 32}).requires_grad_();
    model->use({.micro_batch = micro_batch});
    model->encode_image(pixels).sum().backward();
    return pixels.grad();
  };
  CHECK(torch::allclose(gradient(2), gradient(0), 1e-3, 1e-6));
}

TEST_CASE("a frozen tower leaves the trainable weights, and its batch statistics stay", "[clip]") {
  const auto model = tiny(1);
  const auto all = model->trainable().size();
  model->use({.image_rate = 0, .text_rate = 0.5});
  model->train(true);
  const auto rates = model->rates();
  CHECK(rates.size() == model->trainable().size());
  CHECK(rates.size() < all);
  CHECK(std::ranges::count(rates, 1) == 1);  // the temperature
  CHECK(std::ranges::count(rates, 0.5) == std::ssize(rates) - 1);
  std::vector<torch::Tensor> before;
  for (const auto& buffer : model->buffers()) before.push_back(buffer.clone());
  model->encode_image(torch::rand({2, 3, 32, 32}));
  const auto after = model->buffers();
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(before[i].equal(after[i]));
}

TEST_CASE("bf16 gives f32 embeddings near those of f32, and gradients", "[clip]") {
  for (const std::string preset : {"tiny", "vit_tiny"}) {
    const auto model = clip_of(spec_of(preset));
    const auto pixels = torch::rand({3, 3, 32, 32});
    const auto tokens = model->tokenize(kCaptions);
    const auto image = model->encode_image(pixels), text = model->encode_text(tokens);
    model->use({.bf16 = true});
    const auto image_16 = model->encode_image(pixels), text_16 = model->encode_text(tokens);
    CHECK(image_16.scalar_type() == torch::kFloat);
    CHECK_FALSE(image_16.equal(image));
    CHECK(torch::allclose(image_16, image, 0, 0.05));
    CHECK(torch::allclose(text_16, text, 0, 0.05));
    clip_loss(image_16, text_16, model->logit_scale()).backward();
    for (const auto& parameter : model->trainable()) {
      REQUIRE(parameter.grad().defined());
      CHECK(parameter.grad().isfinite().all().item<bool>());
      CHECK(parameter.grad().scalar_type() == torch::kFloat);
    }
  }
}

TEST_CASE("every preset makes a model", "[clip]") {
  for (const auto& preset : model_presets()) {
    auto model = effective_model(preset, ".", "m");
    if (model.contains("vision_cfg")) {  // their parts in small: a real one is hundreds of megabytes
      const bool vit = model["vision_cfg"]["layers"].size() == 1;
      model.merge_patch({{"tokenizer", "words"},
                         {"vision_cfg",
                          {{"image_size", vit ? 2 * model["vision_cfg"]["patch_size"].get<int>() : 32},
                           {"layers", vit ? Json{1} : Json{1, 1, 1, 1}},
                           {"width", vit ? 64 : 8},
                           {"head_width", 32}}},
                         {"text_cfg", {{"width", 16}, {"heads", 2}, {"layers", 1}, {"vocab_size", 0}}}});
    }
    const auto spec = spec_of(model);
    const auto clip = clip_of(spec);
    const auto pixels = torch::rand({2, 3, spec.image_px, spec.image_px});
    const auto tokens = clip->tokenize(kCaptions);
    CHECK(clip->encode_image(pixels).sizes() == std::vector<std::int64_t>{2, spec.embedding_dim});
    CHECK(clip->encode_text(tokens).sizes() == std::vector<std::int64_t>{3, spec.embedding_dim});
    CHECK(clip->image_parts(pixels).size(2) == spec.embedding_dim);
    CHECK(clip->text_parts(tokens).sizes() == std::vector<std::int64_t>{3, tokens.size(1), spec.embedding_dim});
  }
}
