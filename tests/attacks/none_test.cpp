#include "none.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::none_test {

TEST_CASE("no attack plans nothing and stamps nothing", "[attack][none]") {
  const auto data = toy_dataset();
  const NoAttack attack{NoParams{}};
  CHECK(attack.plan(view_of(data), 1) == PoisonPlan{});
  const auto images = data.held_out.images(0, 12);
  CHECK(attack.apply_trigger(images, some_draws(12)).equal(images));
}

}  // namespace roclip::none_test
