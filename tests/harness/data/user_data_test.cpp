#include "harness/data/user_data.h"

#include <algorithm>
#include <cstdlib>

#include <torch/types.h>
#include <catch2/catch.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "harness/data/data.h"
#include "harness/data/image.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"
#include "support/silent.h"
#include "support/toy_dataset.h"

using namespace roclip;
using namespace roclip::bench;
namespace fs = std::filesystem;

namespace {

void write_image(const fs::path& file, const cv::Scalar& rgb, cv::Size size = {20, 10}) {
  fs::create_directories(file.parent_path());
  const cv::Mat image(size, CV_8UC3, cv::Scalar(rgb[2], rgb[1], rgb[0]));  // OpenCV writes BGR
  REQUIRE(cv::imwrite(file.string(), image));
}

struct Notices {
  std::vector<std::string> lines;
  Progress listener() {
    return [this](std::string_view what, std::int64_t, std::int64_t total) {
      if (total == 0) lines.emplace_back(what);
    };
  }
  bool has(const std::string& text) const {
    return std::ranges::any_of(lines, [&](const auto& line) { return line.find(text) != std::string::npos; });
  }
};

/// Three good pairs, and one of each kind of bad one; six labelled images in two folders.
Json write_example(const ScratchFolder& folder) {
  write_image(folder / "data/a.png", {255, 0, 0});
  write_image(folder / "data/b.jpg", {0, 255, 0});
  write_image(folder / "data/c.webp", {0, 0, 255});
  folder.write("data/broken.png", "no image");
  folder.write("data/pairs.csv",
               "caption,extra,path\n"
               "\"red, \"\"very\"\" red\",x,a.png\n"
               "green,x,b.jpg\n"
               "blue,x,c.webp\n"
               "broken,x,broken.png\n"
               "gone,x,gone.png\n"
               ",x,a.png\n"
               "short\n");
  for (int i = 0; i < 3; ++i) {
    write_image(folder / ("data/test/sea_lion/" + std::to_string(i) + ".png"), {10, 20, 30});
    write_image(folder / ("data/test/auk/" + std::to_string(i) + ".png"), {40, 50, 60});
  }
  return {{"reader", "csv"}, {"pairs", "data/pairs.csv"}, {"labelled", "data/test"}, {"image_px", 8}};
}

}  // namespace

TEST_CASE("a csv data set is read end to end", "[data][csv]") {
  const ScratchFolder folder;
  const Json effective = effective_data(write_example(folder), folder.path(), "m.json: /data");
  Notices notices;
  prepare_data(effective, notices.listener());
  CHECK(notices.has("left out 1 of 7 rows of \"pairs\" (not a readable image): broken.png"));
  CHECK(notices.has("left out 1 of 7 rows of \"pairs\" (file not found): gone.png"));
  CHECK(notices.has("left out 1 of 7 rows of \"pairs\" (empty caption): pairs.csv: line 7"));
  CHECK(notices.has("left out 1 of 7 rows of \"pairs\" (too few fields): pairs.csv: line 8"));

  const LoadedData data = load_data(effective, 8, notices.listener());
  CHECK(data.record.at("hash") == data.hash);
  CHECK(data.record.at("pairs") == 3);
  CHECK(data.record.at("rows") == Json{{"labelled", 6}, {"pairs", 7}});
  REQUIRE(data.record.at("left_out").size() == 4);
  CHECK(data.record.at("left_out")[1] ==
        Json{{"table", "pairs"}, {"reason", "file not found"}, {"count", 1}, {"first", {"gone.png"}}});
  CHECK(left_out_lines(data.record).size() == 4);
  CHECK(data.name == "pairs");
  CHECK(captions_of(*data.train) == std::vector<std::string>{"red, \"very\" red", "green", "blue"});
  REQUIRE(data.train->images(0, 3).sizes() == torch::IntArrayRef({3, 3, 8, 8}));
  for (int image = 0; image < 3; ++image) {  // PNG, JPEG and WebP: red, green and blue
    for (int channel = 0; channel < 3; ++channel) {
      const auto mean = data.train->image(image)[channel].to(torch::kFloat).mean().item<double>();
      CHECK(mean == Approx(image == channel ? 255 : 0).margin(6));
    }
  }
  REQUIRE(data.classes.size() == 2);
  CHECK(data.classes[0].name == "auk");
  CHECK(data.classes[0].prompts[0] == "a photo of an auk");
  CHECK(data.classes[1].name == "sea lion");
  CHECK(data.held_out.size() == 4);  // the larger half of three, twice
  CHECK(data.probe.size() == 2);
  CHECK(data.held_out.labels.sum().item<int>() == 2);
  CHECK(data.held_out.pairs->image(0)[0][0][0].item<int>() == (data.held_out.labels[0].item<int>() == 0 ? 40 : 10));
}

TEST_CASE("a prepared csv data set is used again until its table changes", "[data][csv]") {
  const ScratchFolder folder;
  const Json effective = effective_data(write_example(folder), folder.path(), "m.json: /data");
  const auto first = prepare_data(effective, silent);
  const auto time = fs::last_write_time(first);
  CHECK(prepare_data(effective, silent) == first);
  CHECK(fs::last_write_time(first) == time);
  folder.write("data/pairs.csv", "path,caption\na.png,only this one\n");
  CHECK(captions_of(*load_data(effective, 4, silent).train) == std::vector<std::string>{"only this one"});
}

TEST_CASE("a damaged packed file is made again before it is used, at its own resolution and at another",
          "[data][csv]") {
  const ScratchFolder folder;
  const Json effective = effective_data(write_example(folder), folder.path(), "m.json: /data");
  const auto image_px = GENERATE(8, 4);
  const auto pixels = all_images(load_data(effective, image_px, silent));
  const auto file = prepare_data(effective, silent);
  const auto used = image_px == 8 ? file : fs::path(file.string().insert(file.string().size() - 5, "-4px"));
  REQUIRE(fs::exists(used));
  {
    std::fstream stream(used, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(4096);
    stream.put('\x55');
  }
  Notices notices;
  CHECK(torch::equal(all_images(load_data(effective, image_px, notices.listener())), pixels));
  CHECK(notices.has("checksum is wrong; it is prepared again") == (image_px == 8));
}

TEST_CASE("a resized copy is not made of a damaged packed file", "[data][csv]") {
  const ScratchFolder folder;
  const Json effective = effective_data(write_example(folder), folder.path(), "m.json: /data");
  const auto pixels = all_images(load_data(effective, 8, silent));
  std::fstream(prepare_data(effective, silent), std::ios::in | std::ios::out | std::ios::binary)
      .seekp(4096)
      .put('\x55');
  const auto half = all_images(load_data(effective, 4, silent));
  CHECK(half[0][0][0][0].item<int>() == pixels[0][0][0][0].item<int>());
}

TEST_CASE("links and names that lead nowhere are left out with a reason", "[data][csv]") {
  const ScratchFolder folder;
  Json spec = write_example(folder);
  fs::create_symlink("loop", folder / "data/test/auk/loop");
  fs::create_directory_symlink("..", folder / "data/test/auk/up");
  fs::create_directory_symlink("auk", folder / "data/test/bird");
  std::string table = "path,caption\na.png,one\n";
  table.append(300, 'x').append(".png,two\ntest,three\n");
  folder.write("data/pairs.csv", table);
  Notices notices;
  prepare_data(effective_data(spec, folder.path(), "d"), notices.listener());
  CHECK(notices.has("left out 1 of 9 rows of \"labelled\" (a link that leads to no file): auk/loop"));
  CHECK(notices.has("left out 2 of 9 rows of \"labelled\" (a link to a folder, which is not followed): "));
  CHECK(notices.has("left out 1 of 3 rows of \"pairs\" (File name too long): xxx"));
  CHECK(notices.has("left out 1 of 3 rows of \"pairs\" (not a file): test"));
}

TEST_CASE("a path that is not UTF-8 is refused by its key", "[data][csv]") {
  CHECK_THROWS_WITH(effective_data({{"reader", "csv"}, {"pairs", "p.csv"}}, "/b\xff/c", "m.json: /data"),
                    Catch::StartsWith("m.json: /data/pairs: ") && Catch::Contains("is not UTF-8"));
}

TEST_CASE("labels come from tables, in numerical order, with words of the user", "[data][csv]") {
  const ScratchFolder folder;
  write_image(folder / "a.png", {0, 0, 0});
  folder.write("pairs.tsv", "image\ttitle\na.png\tone, two\n");
  folder.write("test.csv", "image,class\na.png,10\na.png,9\n");
  folder.write("probe.csv", "path,label\na.png,9\n");
  Json spec = {{"reader", "csv"},      {"pairs", "pairs.tsv"},       {"labelled", "test.csv"},
               {"probe", "probe.csv"}, {"classes", {"nine", "ten"}}, {"prompts", {"{}"}}};
  const Collection data = read_user_data(effective_user_data(spec, folder.path(), "d"));
  CHECK(data.train.at(0).caption == "one, two");
  CHECK(data.classes.at(1).name == "ten");
  REQUIRE(data.held_out.size() == 2);
  CHECK(data.held_out[0].label + data.held_out[1].label == 1);
  CHECK(data.probe.at(0).label == 0);

  spec["classes"] = {"nine"};
  CHECK_THROWS_WITH(read_user_data(effective_user_data(spec, folder.path(), "d")), Catch::Contains("has 2 labels"));
}

TEST_CASE("a table without a usable row is an error", "[data][csv]") {
  const ScratchFolder folder;
  folder.write("pairs.csv", "path,caption\ngone.png,x\n");
  const Json effective = effective_data({{"reader", "csv"}, {"pairs", "pairs.csv"}}, folder.path(), "d");
  CHECK_THROWS_WITH(prepare_data(effective, [](auto, auto, auto) {}), Catch::Contains("no usable pair"));
  CHECK_THROWS_WITH(prepare_data(effective, [](auto, auto, auto) {}), Catch::Contains("file not found"));
}

TEST_CASE("mistakes in a csv specification name their key", "[data][csv]") {
  const auto message = [](const Json& extra) {
    Json spec = {{"reader", "csv"}, {"pairs", "p.csv"}};
    spec.update(extra);
    try {
      effective_data(spec, "/base", "m.json: /data");
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::kMatrix);
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  CHECK(message(Json::object()) == "accepted");
  CHECK_THAT(message({{"pairs", ""}}), Catch::StartsWith("m.json: /data/pairs: "));
  CHECK_THAT(message({{"captoin_column", "x"}}), Catch::Contains("did you mean \"caption_column\""));
  CHECK_THAT(message({{"delimiter", ";;"}}), Catch::StartsWith("m.json: /data/delimiter: "));
  CHECK_THAT(message({{"prompts", {"a photo"}}}), Catch::StartsWith("m.json: /data/prompts: "));
  CHECK_THAT(message({{"probe", "x"}}), Catch::StartsWith("m.json: /data/labelled: "));
}

TEST_CASE("paths of a csv specification are relative to the matrix file", "[data][csv]") {
  const Json effective = effective_data({{"reader", "csv"}, {"pairs", "../p.csv"}}, "/base/study", "d");
  CHECK(effective["pairs"] == "/base/p.csv");
  CHECK(effective["labelled"] == "");
  CHECK(effective["name"] == "p");
  CHECK(effective_data(effective, "/elsewhere", "d") == effective);
}

TEST_CASE("pairs are read from shards of webdataset, captions from .txt or .json", "[data][webdataset]") {
  const ScratchFolder folder;
  write_image(folder / "in/0001.jpg", {255, 0, 0});
  folder.write("in/0001.txt", " a red thing\n");
  write_image(folder / "in/0002.png", {0, 0, 255});
  folder.write("in/0002.json", R"({"caption": "a blue thing", "TEXT": "other words"})");
  folder.write("in/0003.txt", "no picture");
  folder.write("in/0004.jpg", "no image");
  folder.write("in/0004.txt", "broken");
  write_image(folder / "in/0005.webp", {0, 255, 0});
  folder.write("in/0005.json", "no json");
  const auto tar = "tar -C " + (folder / "in").string() + " --sort=name -cf " + (folder / "a-000.tar").string() + " .";
  REQUIRE(std::system(tar.c_str()) == 0);
  const Json effective = effective_data({{"reader", "webdataset"}, {"pairs", "a-{000..000}.tar"}, {"image_px", 8}},
                                        folder.path(), "m.json: /data");
  const LoadedData data = load_data(effective, 8, [](auto...) {});
  CHECK(captions_of(*data.train) == std::vector<std::string>{"a red thing", "a blue thing"});
  CHECK(data.train->image(1)[2].to(torch::kFloat).mean().item<double>() == Approx(255).margin(2));
  CHECK(data.record.at("rows") == Json{{"pairs", 5}});
  std::map<std::string, std::string> reasons;
  for (const Json& left_out : data.record.at("left_out")) reasons[left_out.at("reason")] = left_out.at("first")[0];
  CHECK(reasons == std::map<std::string, std::string>{{"no caption", "a-000.tar/./0005"},
                                                      {"no image", "a-000.tar/./0003"},
                                                      {"not a readable image", "a-000.tar/./0004.jpg"}});
}

TEST_CASE("class words and prompts come from files: JSON lists, numbered words, lines of text, CLIP's templates",
          "[data][csv]") {
  const ScratchFolder folder;
  Json data = write_example(folder);
  const auto classes = [&](const std::string& name, const std::string& text) {
    folder.write(name, text);
    data["class_file"] = name;
    return read_user_data(effective_user_data(data, folder.path(), "d")).classes;
  };
  CHECK(classes("a.json", R"(["razorbill", "seal"])")[1].name == "seal");
  CHECK(classes("b.json", R"({"1": "seal", "0": "razorbill"})")[1].name == "seal");
  CHECK(classes("c.json", R"({"classes": ["razorbill", "seal"], "templates": []})")[1].name == "seal");
  CHECK(classes("d.txt", "razorbill\nseal\n")[1].name == "seal");
  CHECK_THROWS_WITH(classes("e.txt", "razorbill\n"), Catch::Contains("\"class_file\" has 1 words"));
  CHECK_THROWS_WITH(classes("f.json", "[1, 2]"), Catch::Contains("f.json: expected words"));
  folder.write("templates.txt", "a {c} in the snow\n");
  data["prompt_file"] = "templates.txt";
  CHECK(classes("a.json", R"(["razorbill", "seal"])")[0].prompts ==
        std::vector<std::string>{"a razorbill in the snow"});
  data["prompt_file"] = "imagenet";
  CHECK(classes("a.json", R"(["razorbill", "seal"])")[0].prompts.size() == 80);
}

TEST_CASE("pairs of one data set are judged on several others", "[data]") {
  const ScratchFolder folder;
  Json train = write_example(folder);
  train.erase("labelled");
  const Json animals = {{"labelled", "data/test"}, {"image_px", 8}};
  folder.write("batches.meta.txt", "airplane\nautomobile\n");
  std::string bytes;
  for (const char label : {0, 1, 0, 1}) {
    bytes.push_back(label);
    bytes.append(3072, static_cast<char>(40 * label));
  }
  folder.write("test_batch.bin", bytes);
  const Json vehicles = {{"labelled", "test_batch.bin"}, {"image_px", 8}};
  const auto effective = [&](const Json& data) { return effective_data(data, folder.path(), "m.json: /data"); };
  const Json two = {{"animals", animals}, {"vehicles", vehicles}};

  CHECK_THROWS_WITH(effective({{"train", train}, {"evaluate", two}}),
                    Catch::Contains("/data/attacked: expected the set that attacks draw their targets from, one of "
                                    "animals, vehicles"));
  CHECK_THROWS_WITH(effective({{"train", train}, {"evaluate", two}, {"attacked", "birds"}}), Catch::Contains("birds"));
  CHECK_THROWS_WITH(effective({{"train", train}, {"evaluate", Json::object()}}), Catch::Contains("/data/evaluate"));
  CHECK_THROWS_WITH(effective({{"train", train}, {"evaluate", {{"mean", animals}}}}), Catch::Contains("not \"train\""));
  CHECK_THROWS_WITH(effective({{"train", train}, {"evaluate", {{"a", {{"pairs", "x.csv"}}}}}}),
                    Catch::Contains("/data/evaluate/a/pairs: belongs in \"train\""));
  CHECK_THROWS_WITH(effective({{"train", train}, {"evaluat", two}}), Catch::Contains("evaluat"));
  CHECK(effective({{"train", train}, {"evaluate", {{"animals", animals}}}}).at("attacked") == "animals");

  const Json whole = effective({{"train", train}, {"evaluate", two}, {"attacked", "animals"}});
  CHECK(effective_data(whole, "/elsewhere", "d") == whole);
  CHECK_FALSE(is_prepared(whole));
  const auto before = content_id(whole);
  const LoadedData data = load_data(whole, 8, [](auto...) {});
  CHECK(is_prepared(whole));
  CHECK(content_id(whole) == before);
  CHECK(content_id(effective({{"train", train}, {"evaluate", two}, {"attacked", "vehicles"}})) != before);
  CHECK(data.train->size() == 3);
  CHECK(data.classes.at(0).name == "auk");
  CHECK(data.held_out.size() == 4);
  REQUIRE(data.evaluate.size() == 1);
  const auto& other = data.evaluate.at("vehicles");
  CHECK(other.name == "vehicles");
  CHECK(other.classes.at(1).name == "automobile");
  CHECK(other.held_out.size() == 2);
  CHECK(other.probe.size() == 2);
  CHECK(other.train == data.train);
  CHECK(data.record.at("evaluate").at("vehicles").at("held_out") == 2);
  CHECK(data.record.at("evaluate").at("vehicles").at("rows") == Json{{"labelled", 4}});
}

TEST_CASE("another share of trusted pairs is another content, as it changes what attacks may touch", "[data]") {
  const ScratchFolder folder;
  Json data = write_example(folder);
  const auto content = [&] { return content_id(effective_data(data, folder.path(), "d")); };
  const auto usual = content();
  data["clean_share"] = 0;
  CHECK(content() == usual);
  data["clean_share"] = 0.5;
  CHECK(content() != usual);
}

TEST_CASE("a folder may have any name, also that of CLIP's templates", "[data][csv]") {
  const Json data = {{"reader", "csv"}, {"pairs", "imagenet"}, {"labelled", "imagenet"}, {"prompt_file", "imagenet"}};
  const Json effective = effective_data(data, "/base", "d");
  CHECK(effective.at("pairs") == "/base/imagenet");
  CHECK(effective.at("labelled") == "/base/imagenet");
  CHECK(effective.at("prompt_file") == "imagenet");
}

TEST_CASE("a probe with labels that the labelled images have no word for is refused", "[data][labelled]") {
  const ScratchFolder folder;
  folder.write("batches.meta.txt", "airplane\nautomobile\n");
  folder.write("test_batch.bin", std::string(1, '\1') + std::string(3072, 'x'));
  for (const std::string label : {"7", "cat"}) {
    folder.write("probe.csv", "image,label\na.png," + label + "\n");
    const Json set = {{"labelled", "test_batch.bin"}, {"probe", "probe.csv"}};
    const Json whole = {{"train", "emoji"}, {"evaluate", {{"cifar10", set}}}};
    const Json effective = effective_data(whole, folder.path(), "d").at("evaluate").at("cifar10");
    CHECK_THROWS_WITH(read_user_data(effective),
                      Catch::Contains("has the label \"" + label + "\"") && Catch::Contains("has the labels 0 to 1"));
  }
}
