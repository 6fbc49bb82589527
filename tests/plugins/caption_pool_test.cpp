#include "roclip/caption_pool.h"

#include <catch2/catch.hpp>

#include "roclip/clip_model.h"

using namespace roclip;

namespace {

torch::Tensor units(std::int64_t rows, std::int64_t dim) { return unit_rows(torch::randn({rows, dim})); }

/// The definition, one pair at a time: the most similar row, the first of equals.
std::int64_t slow_nearest(const torch::Tensor& pool, const torch::Tensor& z) {
  std::int64_t best = 0;
  double best_score = -2;
  for (std::int64_t row = 0; row < pool.size(0); ++row) {
    const double score = pool[row].to(torch::kFloat64).dot(z.to(torch::kFloat64)).item<double>();
    if (score > best_score + 1e-12) {
      best_score = score;
      best = row;
    }
  }
  return best;
}

}  // namespace

TEST_CASE("the nearest caption agrees with a slow search, also across panels", "[roclip][pool]") {
  torch::manual_seed(1);
  for (const std::int64_t size : {1, 7, 1024, 2500}) {
    const auto embeddings = units(size, 8), queries = units(9, 8);
    const auto rows = CaptionPool(embeddings, {}).nearest(queries);
    for (std::int64_t i = 0; i < queries.size(0); ++i)
      CHECK(rows[i].item<std::int64_t>() == slow_nearest(embeddings, queries[i]));
  }
}

TEST_CASE("ties go to the lowest row, within a panel and across panels", "[roclip][pool]") {
  auto embeddings = torch::zeros({2050, 2});
  embeddings.select(1, 1).fill_(1);  // all rows (0, 1) ...
  for (const std::int64_t row : {5, 9, 1030, 2049}) embeddings[row] = torch::tensor({1.0F, 0.0F});  // ... but these
  CHECK(CaptionPool(embeddings, {}).nearest(torch::tensor({{1.0F, 0.0F}})).item<std::int64_t>() == 5);
}

TEST_CASE("the pool forgets its oldest captions first and wraps without dropping any", "[roclip][pool]") {
  const auto numbered = [](std::int64_t from, std::int64_t to) {
    return torch::arange(from, to, torch::kFloat32).unsqueeze(1).repeat({1, 2});
  };
  CaptionPool pool(numbered(0, 5), {});
  pool.enqueue(numbered(10, 13), {});  // rows 0, 1, 2
  pool.enqueue(numbered(20, 23), {});  // rows 3, 4, then 0
  CHECK(torch::equal(pool.all_embeddings().select(1, 0), torch::tensor({22.0F, 11.0F, 12.0F, 20.0F, 21.0F})));
  CHECK(pool.cursor() == 1);
}

TEST_CASE("of more captions than the pool holds the last ones stay, in their place of the ring", "[roclip][pool]") {
  CaptionPool pool(torch::zeros({3, 1}), {});
  pool.enqueue(torch::arange(1, 8, torch::kFloat32).unsqueeze(1), {});  // 7 captions, one at a time ends at row 1
  CHECK(torch::equal(pool.all_embeddings().select(1, 0), torch::tensor({7.0F, 5.0F, 6.0F})));
  CHECK(pool.cursor() == 1);
}

TEST_CASE("tokens follow their embeddings through the ring, whatever their length", "[roclip][pool]") {
  CaptionPool pool(torch::zeros({2, 1}), torch::tensor({{3, 4}, {5, 0}}, torch::kLong));
  pool.enqueue(torch::ones({1, 1}), torch::tensor({{6, 7, 8}}, torch::kLong));
  CHECK(torch::equal(pool.tokens(torch::tensor({0}, torch::kLong)), torch::tensor({{6, 7, 8}}, torch::kLong)));
  CHECK(torch::equal(pool.tokens(torch::tensor({1}, torch::kLong)), torch::tensor({{5}}, torch::kLong)));
}
