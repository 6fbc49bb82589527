#include "harness/data/loader.h"

#include <atomic>
#include <chrono>

#include <catch2/catch.hpp>

#include "roclip/error.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

/// Pictures of one pixel that say which they are; some cannot be read.
class Numbers final : public PairSource {
 public:
  std::int64_t size() const override { return 1000; }
  std::int64_t image_px() const override { return 1; }
  std::string caption(std::int64_t) const override { return ""; }
  void read_image(std::int64_t index, std::uint8_t* to) const override {
    ++reads;
    std::this_thread::sleep_for(std::chrono::microseconds(index % 7 * 50));
    if (index >= 900) throw Error(ErrorKind::kData, "picture " + std::to_string(index));
    for (int channel = 0; channel < 3; ++channel) to[channel] = static_cast<std::uint8_t>(index % 256);
  }
  mutable std::atomic<int> reads = 0;
};

torch::Tensor order_of(std::int64_t first, std::int64_t count) {
  return torch::arange(first, first + count, torch::kLong);
}

}  // namespace

TEST_CASE("a loader gives the batches of an order, whatever the number of threads", "[data][loader]") {
  const Numbers pairs;
  const auto order = torch::randperm(900, torch::kLong).slice(0, 0, 20 * 24);
  const int threads = GENERATE(1, 2, 5);
  Loader loader(pairs, threads, 3);
  loader.start(order, 24);
  for (std::int64_t batch = 0; batch < 20; ++batch) {
    CHECK(loader.next().equal(pairs.images(order.narrow(0, batch * 24, 24))));
  }
}

TEST_CASE("a loader reads no further ahead than it may", "[data][loader]") {
  const Numbers pairs;
  Loader loader(pairs, 2, 3);
  loader.start(order_of(0, 400), 10);
  loader.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(pairs.reads <= 40);
}

TEST_CASE("a loader begins another order at any time", "[data][loader]") {
  const Numbers pairs;
  Loader loader(pairs, 3, 4);
  for (std::int64_t first : {0, 100, 200, 300}) {
    loader.start(order_of(first, 50), 10);
    CHECK(loader.next().equal(pairs.images(first, first + 10)));
    CHECK(loader.next().equal(pairs.images(first + 10, first + 20)));
  }
}

TEST_CASE("a loader throws what reading threw, with the batch that it belongs to", "[data][loader]") {
  const Numbers pairs;
  Loader loader(pairs, 3, 4);
  loader.start(order_of(888, 30), 10);
  CHECK(loader.next().equal(pairs.images(888, 898)));
  CHECK_THROWS_WITH(loader.next(), "picture 900");
}
