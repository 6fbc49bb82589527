#include <catch2/catch.hpp>

#include "harness/report/claims.h"
#include "roclip/error.h"
#include "support/results.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

std::vector<Claim> claims(const std::string& list) {
  const ScratchFolder folder;
  return read_claims(folder.write("claims.json", R"({"schema_version": 1, "claims": [)" + list + "]}"));
}

Finding finding(const std::string& rest) {
  const auto list = claims(R"({"claim": "c", "source": "s", "reported": "r", )" + rest + "}");
  return verify(study_of(matrix_result_of(seeds_of(6)), "no/such/folder"), list).at(0).finding;
}

}  // namespace

TEST_CASE("a claim is reproduced, not reproduced, undecided or not testable", "[claims]") {
  const std::string place = R"("metric": "attack_success", "attack": "targeted", "defense": "roclip", )";
  CHECK(finding(place + R"("at_most": 0.3)") == Finding::kReproduced);
  CHECK(finding(place + R"("at_least": 0.5)") == Finding::kNotReproduced);
  CHECK(finding(place + R"("at_most": 0.14)") == Finding::kUndecided);
  CHECK(finding(place + R"("minus": "clip", "at_most": -0.5)") == Finding::kReproduced);
  CHECK(finding(R"("metric": "attack_success", "attack": "wanet", "defense": "roclip", "at_most": 1)") ==
        Finding::kNotTestable);
  CHECK(finding(R"("not_testable": "needs CC3M")") == Finding::kNotTestable);
}

TEST_CASE("a claims file with a mistake is refused with its place", "[claims]") {
  CHECK_THROWS_WITH(claims(R"({"claim": "c"})"), Contains("claims.json: /claims/0/source: is missing"));
  CHECK_THROWS_WITH(claims(R"({"clam": "c"})"), Contains("did you mean \"claim\""));
  const std::string head =
      R"({"claim": "c", "source": "s", "reported": "r", "metric": "m", "attack": "a", "defense": "d")";
  CHECK_THROWS_WITH(claims(head + "}"), Contains("expected \"at_least\", \"at_most\" or both"));
  CHECK_THROWS_WITH(claims(head + R"(, "at_most": 12.5})"),
                    Contains("/claims/0/at_most: expected a number from -1.0 to 1.0, got 12.5"));
}

TEST_CASE("verdicts are shown with what was reported and what was found", "[claims]") {
  const auto list = verify(study_of(matrix_result_of(seeds_of(6)), "no/such/folder"),
                           claims(R"({"claim": "rarely succeeds", "source": "abstract", "reported": "12.5 %",
                                      "metric": "attack_success", "attack": "targeted", "defense": "roclip", "at_most": 0.3})"));
  CHECK_THAT(render_text(list), Contains("reproduced") && Contains("reported 12.5 % (abstract); here 12.5 % ["));
  CHECK_THAT(render_markdown(list), Contains("**reproduced**") && Contains("at most 30.0 %"));
  CHECK(to_json(list).at("claims")[0].at("verdict") == "reproduced");
}
