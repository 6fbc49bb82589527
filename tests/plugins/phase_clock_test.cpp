#include "roclip/phase_clock.h"

#include <catch2/catch.hpp>

using namespace roclip;

namespace {

/// A device that takes a second until its first mark, then two, and so on.
class SlowDevice final : public DeviceTimeline {
 public:
  explicit SlowDevice(std::size_t& waiting) : waiting_(waiting) {}
  void mark() override { ++waiting_; }
  std::vector<double> take(std::size_t count) override {
    REQUIRE(count <= waiting_);
    waiting_ -= count;
    std::vector<double> wall_s;
    while (wall_s.size() < count) wall_s.push_back(taken_++);
    return wall_s;
  }

 private:
  std::size_t& waiting_;
  double taken_ = 1;
};

}  // namespace

TEST_CASE("a phase clock adds up the time that the device tells later, from the sums of an earlier process", "[gpu]") {
  std::size_t waiting = 0;
  PhaseClock clock(std::make_unique<SlowDevice>(waiting));
  clock.restore({{"loss", 100}});
  clock.lap("loss");
  clock.lap("backward");
  clock.lap("loss");
  CHECK(waiting == 3);
  CHECK(clock.phases() == std::map<std::string, double>{{"loss", 100 + 1 + 3}, {"backward", 2}});
  CHECK(waiting == 0);
  for (int lap = 0; lap < 1000; ++lap) clock.lap("loss");
  CHECK(waiting < 256);  // nobody keeps the marks of a whole training
  CHECK(clock.phases().at("backward") == 2);
}
