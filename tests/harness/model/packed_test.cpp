#include <cmath>

#include <torch/utils.h>
#include <catch2/catch.hpp>

#include "harness/model/packed.h"
#include "harness/model/towers.h"

using namespace roclip::bench;

namespace {

/// Lengths 3, 1, 0, 4 of at most 4.
Packing packing() {
  const auto lengths = torch::tensor({3, 1, 0, 4}, torch::kLong);
  return pack(torch::arange(4).unsqueeze(0) < lengths.unsqueeze(1));
}

/// Sequence by sequence and head by head, as the paper has it.
torch::Tensor plain_attention(const torch::Tensor& qkv, const Packing& p, std::int64_t heads, bool causal) {
  const auto width = qkv.size(1) / 3, head = width / heads;
  std::vector<torch::Tensor> sequences;
  for (std::int64_t b = 0; b + 1 < p.starts.size(0); ++b) {
    const auto rows = qkv.slice(0, p.starts[b].item<std::int64_t>(), p.starts[b + 1].item<std::int64_t>());
    std::vector<torch::Tensor> columns;
    for (std::int64_t h = 0; h < heads; ++h) {
      const auto part = [&](std::int64_t which) { return rows.narrow(1, which * width + h * head, head); };
      auto scores = part(0).matmul(part(1).t()) / std::sqrt(static_cast<double>(head));
      if (causal) scores = scores + torch::full_like(scores, -INFINITY).triu(1);
      columns.push_back(scores.softmax(1).matmul(part(2)));
    }
    sequences.push_back(torch::cat(columns, 1));
  }
  return torch::cat(sequences);
}

}  // namespace

TEST_CASE("packing tells row, place and owner of every token", "[clip][packed]") {
  const auto p = packing();
  CHECK(p.starts.equal(torch::tensor({0, 3, 4, 4, 8}, torch::kLong)));
  CHECK(p.rows.equal(torch::tensor({0, 1, 2, 4, 12, 13, 14, 15}, torch::kLong)));
  CHECK(p.places.equal(torch::tensor({0, 1, 2, 0, 0, 1, 2, 3}, torch::kLong)));
  CHECK(p.owners.equal(torch::tensor({0, 0, 0, 1, 3, 3, 3, 3}, torch::kLong)));
}

TEST_CASE("attention over packed sequences, and its gradient, equal the plain formula", "[clip][packed]") {
  torch::manual_seed(3);
  const bool causal = GENERATE(false, true);
  const auto type = GENERATE(torch::kFloat, torch::kDouble);  // our loops, and what a GPU runs
  const std::int64_t heads = GENERATE(1, 2);
  const auto values = torch::randn({8, 3 * 20}, type), weight = torch::randn({8, 20}, type);
  auto ours = values.clone().requires_grad_(), theirs = values.clone().requires_grad_();
  const auto out = packed_attention(ours, packing(), heads, causal),
             expected = plain_attention(theirs, packing(), heads, causal);
  CHECK(torch::allclose(out, expected, 1e-5, 1e-6));
  (out * weight).sum().backward();
  (expected * weight).sum().backward();
  CHECK(torch::allclose(ours.grad(), theirs.grad(), 1e-4, 1e-5));
}

TEST_CASE("with its padding kept, as on a GPU, a batch gives the same attention, ends and means", "[clip][packed]") {
  torch::manual_seed(4);
  const bool causal = GENERATE(false, true);
  const auto is_token = torch::tensor({{1, 1, 1, 0}, {1, 0, 0, 0}, {1, 1, 1, 1}}, torch::kLong) != 0;
  const auto packed = pack(is_token, /*keep_padding=*/false), padded = pack(is_token, /*keep_padding=*/true);
  CHECK(padded.has_padding());
  CHECK(padded.rows.numel() == 12);
  std::vector<torch::Tensor> gradients;
  std::vector<std::pair<torch::Tensor, torch::Tensor>> found;
  const auto values = torch::randn({12, 3 * 8});
  for (const auto& packing : {packed, padded}) {
    auto all = values.clone().requires_grad_();
    const auto x = packed_attention(all.index_select(0, packing.rows), packing, 2, causal);
    found.emplace_back(packed_last(x, packing), packed_mean(x, packing));
    (found.back().first.square().sum() + found.back().second.square().sum()).backward();
    gradients.push_back(all.grad());
  }
  CHECK(torch::allclose(found[0].first, found[1].first, 1e-5, 1e-6));
  CHECK(torch::allclose(found[0].second, found[1].second, 1e-5, 1e-6));
  CHECK(torch::allclose(gradients[0], gradients[1], 1e-4, 1e-6));
  CHECK(packed_mean(torch::ones({2, 3}), pack(torch::zeros({1, 2}, torch::kBool), true)).equal(torch::zeros({1, 3})));
}

TEST_CASE("the last token of a packed sequence is its end", "[clip][packed]") {
  const auto p = pack(torch::tensor({{1, 1, 0}, {1, 1, 1}}, torch::kLong) != 0);
  const auto x = torch::arange(10, torch::kFloat).view({5, 2});
  CHECK(packed_last(x, p).equal(torch::tensor({{2.0F, 3.0F}, {8.0F, 9.0F}})));
}

TEST_CASE("the mean of a packed sequence is over its tokens, and 0 without any", "[clip][packed]") {
  auto x = torch::arange(16, torch::kFloat).view({8, 2}).requires_grad_();
  const auto means = packed_mean(x, packing());
  CHECK(torch::allclose(means, torch::tensor({{2.0F, 3.0F}, {6.0F, 7.0F}, {0.0F, 0.0F}, {11.0F, 12.0F}})));
  means.sum().backward();
  const auto shares = x.grad().select(1, 0);
  CHECK(torch::allclose(shares, torch::tensor({1 / 3.0F, 1 / 3.0F, 1 / 3.0F, 1.0F, 0.25F, 0.25F, 0.25F, 0.25F})));
}

TEST_CASE("tokens are padded to few different widths, and not beyond the context", "[model][gpu]") {
  const auto width = [](std::int64_t tokens, std::int64_t longest) {
    const auto padded = in_few_widths(torch::ones({2, tokens}, torch::kLong), longest);
    CHECK(padded.sum().item<std::int64_t>() == 2 * tokens);
    return padded.size(1);
  };
  CHECK(width(1, 12) == 8);
  CHECK(width(8, 12) == 8);
  CHECK(width(9, 12) == 12);
  CHECK(width(9, 77) == 16);
  CHECK(width(77, 77) == 77);
}

TEST_CASE("a text tower gives the same features with padding kept, whatever the first token's id", "[model][gpu]") {
  TextSpec spec{.transformer = {.width = 16, .layers = 1, .heads = 2, .mlp_width = 32}, .context_length = 8};
  spec.pool = GENERATE(TextSpec::Pool::kMean, TextSpec::Pool::kLast);
  spec.causal = spec.pool == TextSpec::Pool::kLast;
  const TokenIds ids{.first = GENERATE(0, 1), .count = 20};
  torch::manual_seed(1);
  const auto tower = make_text_tower(spec, ids);
  auto tokens = torch::randint(1, 20, {3, 8}, torch::kLong);
  tokens[0].narrow(0, 2, 6).zero_();  // of a BPE tokenizer, whose ids begin with 1, padding lies before the embeddings
  const auto padded = pack(tokens != 0, /*keep_padding=*/true);
  const auto words = tower->words(tokens, padded);
  const auto features = spec.causal ? packed_last(words, padded) : packed_mean(words, padded);
  CHECK(torch::allclose(features, tower->features(tokens), 1e-4, 1e-6));
}
