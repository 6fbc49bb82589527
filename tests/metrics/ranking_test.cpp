#include <torch/types.h>
#include <catch2/catch.hpp>

#include "roclip/metric.h"

namespace roclip::ranking_test {

TEST_CASE("a rank is the number of columns before, equals in the order of columns", "[metric][ranking]") {
  const auto scores = torch::tensor({{0.1F, 0.9F, 0.5F},  //
                                     {0.5F, 0.5F, 0.5F},  //
                                     {0.5F, 0.5F, 0.5F},  //
                                     {0.7F, -0.2F, 0.7F}});
  const auto own = torch::tensor({0, 0, 2, 1}, torch::kLong);
  CHECK(rank_of(scores, own).equal(torch::tensor({2, 0, 2, 2}, torch::kLong)));
}

TEST_CASE("scores that are not finite have no ranks", "[metric][ranking]") {
  const auto bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity());
  CHECK_THROWS_AS(rank_of(torch::tensor({{0.1F, bad}}), torch::tensor({0}, torch::kLong)), Diverged);
}

TEST_CASE("hits at k are the items of a rank below k", "[metric][ranking]") {
  const auto count = hits_at(2, "top2", torch::tensor({3, 5, 8}, torch::kLong), torch::tensor({1, 2, 0}, torch::kLong));
  CHECK(count.name == "top2");
  CHECK(count.hits == 2);
  CHECK(count.trials == 3);
  CHECK(count.items == std::vector<std::int64_t>{3, 5, 8});
  CHECK(count.outcomes == std::vector<std::uint8_t>{1, 0, 1});
}

}  // namespace roclip::ranking_test
