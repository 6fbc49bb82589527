#include <catch2/catch.hpp>

#include "harness/model/clip.h"
#include "roclip/error.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

const std::vector<std::string> kCaptions = {"a red apple", "a green apple", "a red car"};

std::unique_ptr<TrainableClip> tiny(std::uint64_t seed) {
  return make_clip(model_params("tiny", "model"), std::make_shared<Vocabulary>(kCaptions, 1), seed, torch::kCPU);
}

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
  const auto params = model_params({{"image_px", 8}, {"stage_widths", {8, 16}}, {"stage_blocks", {1, 0}}}, "m");
  const auto model = make_clip(params, std::make_shared<Vocabulary>(kCaptions, 1), 1, torch::kCPU);
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
  CHECK(model_params({{"preset", "tiny"}, {"embedding_dim", 16}}, "m").embedding_dim == 16);
  CHECK_THROWS_WITH(model_params("tinny", "m.json: /model"), Contains("did you mean \"tiny\"?"));
  CHECK_THROWS_WITH(model_params({{"embeding_dim", 16}}, "m.json: /model"),
                    Contains("did you mean \"embedding_dim\"?"));
  CHECK_THROWS_WITH(model_params({{"stage_blocks", {1}}}, "m"), Contains("as many numbers as stage_widths"));
  CHECK_THROWS_WITH(model_params({{"text_heads", 3}}, "m"), Contains("multiple of text_heads"));
  CHECK_THROWS_AS(model_params(3, "m"), Error);
}

TEST_CASE("every preset makes a model", "[clip]") {
  for (const auto& preset : model_presets()) {
    const auto params = model_params(preset, "m");
    const auto model = make_clip(params, std::make_shared<Vocabulary>(kCaptions, 1), 1, torch::kCPU);
    CHECK(model->encode_image(torch::rand({2, 3, params.image_px, params.image_px})).size(1) == params.embedding_dim);
  }
}
