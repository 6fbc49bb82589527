#include <set>

#include <catch2/catch.hpp>

#include "harness/engine/plan.h"
#include "harness/study/select.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

const Registry& shipped() {
  static const Registry registry({ROCLIP_PLUGIN_DIR});
  return registry;
}

Matrix matrix_with(const Json& changes) {
  const ScratchFolder folder;
  Json json = {{"schema_version", 1}, {"name", "x"},          {"data", "emoji"},
               {"attacks", {"none"}}, {"defenses", {"clip"}}, {"metrics", {"zero_shot"}}};
  json.update(changes);
  return load_matrix(folder.write("matrix.json", json.dump()));
}

std::vector<Cell> planned(const Json& changes) { return make_plan(matrix_with(changes), shipped()); }

std::string only_id(const Json& changes) {
  const auto cells = planned(changes);
  REQUIRE(cells.size() == 1);
  return cells[0].id;
}

}  // namespace

TEST_CASE("a plan has attacks x defenses x seeds cells, each with its own id", "[plan]") {
  const auto cells = planned({{"attacks", {"none", "targeted"}},
                              {"defenses", {"clip", {{"plugin", "roclip"}, {"match_every", {{"sweep", {1, 2, 3}}}}}}},
                              {"seeds", {1, 2}}});
  REQUIRE(cells.size() == 2 * 4 * 2);
  std::set<std::string> ids;
  for (const auto& cell : cells) ids.insert(cell.id);
  CHECK(ids.size() == cells.size());
  CHECK(cells[2].defense == "roclip match_every=1");
  CHECK(cells[2].config.at("defense").at("params").at("match_every") == 1);
}

TEST_CASE("the id follows every setting that matters and no other", "[plan]") {
  const auto id = only_id(Json::object());
  CHECK(only_id({{"name", "another name"}}) == id);
  CHECK(only_id({{"training", {{"epochs", 12}}}}) == id);  // the default, written out
  CHECK(only_id({{"attacks", {{{"plugin", "none"}, {"label", "clean"}}}}}) == id);
  CHECK(only_id({{"training", {{"epochs", 13}}}}) != id);
  CHECK(only_id({{"seeds", {2}}}) != id);
  CHECK(only_id({{"model", {{"embedding_dim", 32}}}}) != id);
  CHECK(only_id({{"defenses", {{{"plugin", "clip"}, {"image_augmentation", true}}}}}) != id);
}

TEST_CASE("the id does not follow the order of the metrics", "[plan]") {
  CHECK(only_id({{"metrics", {"zero_shot", "attack_success"}}}) ==
        only_id({{"metrics", {"attack_success", "zero_shot"}}}));
  CHECK(only_id({{"metrics", {"zero_shot", "attack_success"}}}) != only_id({{"metrics", {"zero_shot"}}}));
}

TEST_CASE("the id follows the content of a table and its images, not their place", "[plan]") {
  const ScratchFolder folder;
  const auto id_of = [&](const std::string& place, const std::string& caption, const std::string& image) {
    folder.write(place + "/pairs.csv", "path,caption\na.png," + caption + "\n");
    folder.write(place + "/a.png", image);
    return only_id({{"data", {{"reader", "csv"}, {"pairs", (folder / place / "pairs.csv").string()}}}});
  };
  const auto id = id_of("here", "a cat", "pixels");
  CHECK(id_of("there", "a cat", "pixels") == id);
  CHECK(id_of("here", "a dog", "pixels") != id);
  CHECK(id_of("here", "a cat", "other pixels") != id);
  CHECK(id_of("here", "a cat", "pixels") == id);
}

TEST_CASE("two labels for one configuration are refused, so that no row or column vanishes", "[plan]") {
  CHECK_THROWS_WITH(
      planned({{"defenses", {"clip", {{"plugin", "clip"}, {"image_augmentation", false}}}}}),
      Contains("none x clip, seed 1 and none x clip image_augmentation=false, seed 1 are one configuration"));
}

TEST_CASE("a gate that fits no metric, attack or defense of its matrix is refused before anything is trained",
          "[plan]") {
  const auto with_gate = [](const std::string& metric, const std::string& attack, const std::string& defense) {
    const Json where = {{"attack", attack}, {"defense", defense}};
    const Json sweep = {{"plugin", "roclip"}, {"match_every", {{"sweep", {1, 2}}}}};
    const Json gates = Json::array({{{"metric", metric}, {"where", where}, {"at_least", 0.5}}});
    return planned({{"defenses", {"clip", sweep}}, {"gates", gates}});
  };
  CHECK(with_gate("zero_shot", "none", "roclip match_every=2").size() == 3);
  CHECK(with_gate("zero_shot/1", "none", "clip").size() == 3);
  CHECK_THROWS_WITH(with_gate("zeroshot", "none", "clip"),
                    Contains("/gates/0/metric: there is no \"zeroshot\" in this matrix; did you mean \"zero_shot\"?"));
  CHECK_THROWS_WITH(with_gate("zero_shot", "badnets", "clip"),
                    Contains("/gates/0/where/attack") && Contains("are: none"));
  CHECK_THROWS_WITH(with_gate("zero_shot", "none", "roclip"),
                    Contains("/gates/0/where/defense") && Contains("roclip match_every=1, roclip match_every=2"));
}

TEST_CASE("entries of one plugin are told apart by their parameters or by a label", "[plan]") {
  const auto cells = planned({{"defenses",
                               {"clip",
                                {{"plugin", "clip"}, {"image_augmentation", true}},
                                {{"plugin", "clip"}, {"text_augmentation", true}, {"label", "EDA only"}}}}});
  REQUIRE(cells.size() == 3);
  CHECK(cells[0].defense == "clip");
  CHECK(cells[1].defense == "clip image_augmentation=true");
  CHECK(cells[2].defense == "EDA only");
}

TEST_CASE("an entry needs no parameters in its name where the others of its plugin have labels", "[plan]") {
  const auto cells = planned({{"attacks",
                               {{{"plugin", "targeted"}, {"captions", 12}},
                                {{"plugin", "targeted"}, {"captions", 30}, {"label", "targeted, strong"}}}}});
  REQUIRE(cells.size() == 2);
  CHECK(cells[0].attack == "targeted");
  CHECK(cells[1].attack == "targeted, strong");
}

TEST_CASE("one label for two configurations is refused", "[plan]") {
  CHECK_THROWS_WITH(planned({{"defenses",
                              {{{"plugin", "clip"}, {"label", "x"}},
                               {{"plugin", "clip"}, {"label", "x"}, {"image_augmentation", true}}}}}),
                    Contains("/defenses/1: \"x\" already names another configuration"));
}

TEST_CASE("unknown plugins and parameters are refused with their place in the file", "[plan]") {
  CHECK_THROWS_WITH(planned({{"attacks", {"badnet"}}}),
                    Contains("/attacks/0/plugin: unknown attack \"badnet\"; did you mean \"badnets\"?"));
  CHECK_THROWS_WITH(planned({{"defenses", {{{"plugin", "roclip"}, {"match_evry", 2}}}}}),
                    Contains("/defenses/0/match_evry: unknown key; did you mean \"match_every\"?"));
  CHECK_THROWS_WITH(planned({{"training", {{"epoch", 2}}}}),
                    Contains("/training/epoch: unknown key; did you mean \"epochs\"?"));
}

TEST_CASE("a metric that stands twice is refused, for results know it by its id", "[plan]") {
  CHECK_THROWS_WITH(planned({{"metrics", {"zero_shot", {{"plugin", "zero_shot"}, {"label", "again"}}}}}),
                    Contains("/metrics: zero_shot/1 stands here twice"));
}

TEST_CASE("a batch larger than the training set is refused when the data is known", "[plan]") {
  const auto cells = planned({{"training", {{"batch_size", {{"sweep", {64, 512}}}}}}});
  const auto matrix = matrix_with(Json::object());
  expect_data_fits(cells, 512, 9, matrix, shipped());
  CHECK_THROWS_WITH(expect_data_fits(cells, 511, 9, matrix, shipped()),
                    Contains("/training/batch_size: expected at most 511") && Contains("got 512"));
}

TEST_CASE("metrics that need labelled images are refused when the data has none", "[plan]") {
  const auto matrix = matrix_with(Json::object());
  CHECK_THROWS_WITH(
      expect_data_fits(planned({{"metrics", {"poison_detection", "zero_shot"}}}), 512, 0, matrix, shipped()),
      Contains("/metrics: zero_shot needs labelled images, and the data has none"));
  expect_data_fits(planned({{"metrics", {"poison_detection"}}}), 512, 0, matrix, shipped());
}

TEST_CASE("metrics whose parameters do not fit each other are refused before anything is trained", "[plan]") {
  const Json metrics = {{{"plugin", "attack_success"}, {"also", {"source_class"}}}};
  CHECK_THROWS_WITH(expect_data_fits(planned({{"metrics", metrics}}), 512, 9, matrix_with(Json::object()), shipped()),
                    Contains("/metrics: attack_success/source_class: expected a class name"));
}

TEST_CASE("limits and checkpoints are not part of a cell's id, and an entry's limits come before the matrix's",
          "[plan]") {
  const auto id = only_id(Json::object());
  CHECK(only_id({{"limits", {{"time_s", 60}}}}) == id);
  CHECK(only_id({{"checkpoint", {{"every_s", 1}}}}) == id);
  const auto cells = planned({{"limits", {{"time_s", 60}, {"memory_mib", 500}}},
                              {"defenses", {"clip", {{"plugin", "roclip"}, {"limits", {{"time_s", 90}}}}}}});
  CHECK(cells[0].limits.time_s == 60);
  CHECK(cells[1].limits.time_s == 90);
  CHECK(cells[1].limits.memory_mib == 500);
  CHECK(cells[1].defense == "roclip");
  CHECK_THROWS_WITH(planned({{"limits", {{"times_s", 60}}}}), Contains("/limits/times_s: unknown key; did you mean"));
}

TEST_CASE("a cell survives its way through JSON", "[plan]") {
  const auto cell = planned({{"limits", {{"time_s", 60}}}})[0];
  const Cell back = Json::parse(Json(cell).dump());
  CHECK(Json(back) == Json(cell));
}

TEST_CASE("all cells of a plan survive their way through JSON in groups, each with its own seed", "[plan]") {
  const auto cells = planned({{"seeds", {1, 2, 3}}, {"attacks", {"none", "targeted"}}});
  const auto groups = cells_to_json(cells);
  CHECK(groups.size() == cells.size() / 3);
  const auto back = cells_from_json(Json::parse(groups.dump()));
  REQUIRE(back.size() == cells.size());
  for (std::size_t i = 0; i < cells.size(); ++i) CHECK(Json(back[i]) == Json(cells[i]));
}

TEST_CASE("cells are selected by row, column, plugin, seed and id", "[plan]") {
  const auto cells =
      planned({{"attacks", {"none", "targeted"}},
               {"defenses", {"clip", {{"plugin", "clip"}, {"label", "control"}, {"image_augmentation", true}}}},
               {"seeds", {1, 2}}});
  const auto count = [&](const std::vector<std::string>& selectors) { return select(cells, selectors).size(); };
  CHECK(count({}) == 8);
  CHECK(count({"attack=targeted"}) == 4);
  CHECK(count({"defense=control"}) == 4);
  CHECK(count({"defense=clip"}) == 4);  // the column of that name
  CHECK(count({"defense=" + cells[0].config.at("defense").at("plugin").get<std::string>()}) ==
        8);  // the plugin of both
  CHECK(count({"attack=targeted,seed=2"}) == 2);
  CHECK(count({"attack=targeted,seed=2", "seed=1"}) == 6);
  CHECK(count({cells[3].id}) == 1);
  CHECK(count({"targeted-"}) == 4);
  CHECK_THROWS_WITH(count({"seed=1", "attack=badnets"}),
                    Contains("selects none of the 8 cells") && Contains("attack=targeted"));
  CHECK_THROWS_WITH(count({"atack=none"}), Contains("did you mean \"attack\"?"));
  CHECK_THROWS_WITH(count({"attack=none,sed=1"}), Contains("did you mean \"seed\"?"));
}

TEST_CASE("the shards of a run have every cell once, and cells of one training together", "[plan]") {
  const auto cells =
      planned({{"attacks", {"none", "targeted"}}, {"defenses", {"clip", "roclip"}}, {"seeds", {1, 2, 3}}});
  const auto all = select(cells, {});
  std::map<std::string, std::string> trainings;  // of each attack and seed
  for (const auto& cell : cells) trainings[cell.id] = cell.attack + std::to_string(cell.seed);
  for (const std::size_t count : {1, 2, 4, 20}) {
    std::map<std::string, std::size_t> shard_of_training;
    std::size_t seen = 0, largest = 0;
    for (std::size_t index = 1; index <= count; ++index) {
      const auto part = shard_of(all, trainings, {index, count});
      for (const auto* cell : part) {
        CHECK(shard_of_training.try_emplace(trainings[cell->id], index).first->second == index);
      }
      seen += part.size();
      largest = std::max(largest, part.size());
    }
    CHECK(seen == cells.size());
    CHECK(shard_of_training.size() == 6);
    CHECK(most_shards(all, trainings) == 6);
    CHECK(largest <= 2 * ((6 + count - 1) / count));
  }
}

TEST_CASE("labels may hold commas and still be selected", "[plan]") {
  const auto cells =
      planned({{"attacks", {"targeted", {{"plugin", "targeted"}, {"label", "targeted, strong"}, {"captions", 30}}}},
               {"seeds", {1, 2}}});
  const auto count = [&](const std::vector<std::string>& selectors) { return select(cells, selectors).size(); };
  CHECK(count({"attack=targeted"}) == 2);
  CHECK(count({"attack=targeted, strong"}) == 2);
  CHECK(count({"attack=targeted, strong,seed=2"}) == 1);
  CHECK(count({"seed=1,attack=targeted, strong,defense=clip"}) == 1);
  CHECK_THROWS_WITH(count({"attack=targeted, weak"}),
                    Contains("selects none of the 4 cells") && Contains("targeted, strong"));
}
