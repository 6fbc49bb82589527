#include "harness/data/transfer.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include <torch/types.h>
#include <catch2/catch.hpp>
#include <opencv2/imgcodecs.hpp>

#include "harness/data/data.h"
#include "harness/data/pack.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"
#include "support/silent.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// A drawing: the left half in a colour. @param rdf what stands in its metadata
std::string svg(const std::string& colour, const std::string& rdf) {
  return R"(<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10" xmlns:rdf="r" xmlns:cc="c" xmlns:dc="d"><metadata><rdf:RDF><cc:Work>)" +
         rdf + R"(</cc:Work></rdf:RDF></metadata><rect width="5" height="10" fill=")" + colour + R"("/></svg>)";
}

std::string title(const std::string& text) { return "<dc:title>" + text + "</dc:title>"; }

std::string keywords(const std::vector<std::string>& words) {
  std::string list;
  for (const auto& word : words) list += "<rdf:li>" + word + "</rdf:li>\n";
  return "<dc:subject>\n<rdf:Bag>" + list + "</rdf:Bag></dc:subject>";
}

const Item& find(const std::vector<Item>& items, const std::string& name) {
  const auto found = std::ranges::find(items, name, &Item::name);
  REQUIRE(found != items.end());
  return *found;
}

std::vector<std::string> class_names(const Collection& data) {
  std::vector<std::string> names;
  for (const auto& info : data.classes) names.push_back(info.name);
  return names;
}

std::int64_t skipped(const Collection& data, const std::string& reason) {
  const auto found = data.skipped.find({"", reason});
  return found == data.skipped.end() ? 0 : std::ssize(found->second);
}

std::string big_endian(std::uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8),
          static_cast<char>(number)};
}

/// The two IDX files of `labels.size()` images of 2 x 2, not compressed, which the reader takes too.
void write_idx(const ScratchFolder& folder, const std::string& front, const std::vector<int>& labels) {
  const auto count = static_cast<std::uint32_t>(labels.size());
  std::string images = big_endian(0x803) + big_endian(count) + big_endian(2) + big_endian(2);
  std::string numbers = big_endian(0x801) + big_endian(count);
  for (const int label : labels) {
    images += std::string(4, static_cast<char>(label * 20));
    numbers += static_cast<char>(label);
  }
  folder.write(front + "-images-idx3-ubyte.gz", images);
  folder.write(front + "-labels-idx1-ubyte.gz", numbers);
}

/// Where the packages of the tests lie, for the length of a test.
class PackageRoot {
 public:
  explicit PackageRoot(const fs::path& folder) { setenv("ROCLIP_BENCH_PACKAGES", folder.c_str(), 1); }
  ~PackageRoot() { unsetenv("ROCLIP_BENCH_PACKAGES"); }
  PackageRoot(const PackageRoot&) = delete;
  PackageRoot& operator=(const PackageRoot&) = delete;
};

}  // namespace

TEST_CASE("a drawing's caption is its title and the keywords that say something new", "[data][transfer]") {
  const ScratchFolder folder;
  const std::string author = "<dc:creator><cc:Agent><dc:title>A. Painter</dc:title></cc:Agent></dc:creator>";
  folder.write("people/a.svg", svg("red", author + title("Tom &amp; Jerry&amp;#39;s\n cat &#233;") +
                                              keywords({"cat", "HASH(0x1)", "black_cat", "pet"})));
  folder.write("people/b.svg", svg("green", keywords({"a", "b", "c", "d", "e", "f"}) + title("x")));
  folder.write("people/the_third_one_02.svg", svg("blue", author + title("")));
  folder.write("people/no_metadata.svg", R"(<svg xmlns="http://www.w3.org/2000/svg"/>)");
  folder.write("people/latin.svg", svg("black", title("caf\xe9") + keywords({"bar\xe9", "coffee"})));
  const Collection data = read_openclipart(folder.path());
  CHECK(find(data.train, "people/a.svg").caption == "Tom & Jerry's cat é, black cat, pet");
  CHECK(find(data.train, "people/b.svg").caption == "x, a, b, c, d, e");
  CHECK(find(data.train, "people/the_third_one_02.svg").caption == "the third one");
  CHECK(find(data.train, "people/no_metadata.svg").caption == "no metadata");
  CHECK(find(data.train, "people/latin.svg").caption == "latin, coffee");
}

TEST_CASE("a title that ten drawings share gives way to the names of their files", "[data][transfer]") {
  const ScratchFolder folder;
  for (int i = 0; i < 10; ++i) {
    const auto letter = std::string(1, static_cast<char>('a' + i));
    folder.write("people/face_" + letter + ".svg", svg("#00000" + std::to_string(i), title(i < 5 ? "Set" : "set")));
    if (i < 9) folder.write("people/x" + letter + ".svg", svg("#10000" + std::to_string(i), title("Nine")));
  }
  const Collection data = read_openclipart(folder.path());
  CHECK(find(data.train, "people/face_c.svg").caption == "face c");
  CHECK(find(data.train, "people/xc.svg").caption == "Nine");
}

TEST_CASE("a fifth of each class is held out, always the same, and what has no class is only trained on",
          "[data][transfer]") {
  const ScratchFolder folder;
  for (int i = 0; i < 20; ++i) {
    const auto n = std::to_string(i + 10);
    folder.write("animals/birds/penguin/p" + n + ".svg", svg("#0000" + n, title("penguin " + n)));
    if (i < 10) folder.write("food/fruit/f" + n + ".svg", svg("#1100" + n, title("fruit " + n)));
  }
  folder.write("buildings/furniture/chair.svg", svg("red", title("chair")));
  folder.write("computer/icons/x.svg", svg("green", title("an icon")));
  folder.write("food/readme.txt", "no drawing");
  const Collection data = read_openclipart(folder.path());
  CHECK(class_names(data) == std::vector<std::string>{"bird", "fruit"});
  CHECK(data.classes[0].prompts[0] == "clip art of a bird");
  CHECK(data.held_out.size() == 6);
  CHECK(std::ranges::count(data.held_out, 1, &Item::label) == 2);
  REQUIRE(data.train.size() == 25);
  CHECK(data.train.back().name == "buildings/furniture/chair.svg");
  CHECK(data.train.back().label == Item::kNoLabel);
  CHECK(data.train[23].label == 1);
  CHECK(data.probe.empty());

  std::set<std::string> before, after;
  for (const auto& item : data.held_out) before.insert(item.name);
  folder.write("food/desserts/new.svg", svg("white", title("another class")));
  for (const auto& item : read_openclipart(folder.path()).held_out) {
    if (item.caption != "another class") after.insert(item.name);
  }
  CHECK(before == after);
}

TEST_CASE("a link puts a drawing into a class, and equal files count once", "[data][transfer]") {
  const ScratchFolder folder;
  folder.write("plants/rose.svg", svg("red", title("rose")));
  fs::create_directories(folder / "plants/flowers");
  fs::create_symlink("../rose.svg", folder / "plants/flowers/rose.svg");
  fs::create_symlink("../gone.svg", folder / "plants/flowers/gone.svg");
  folder.write("tools/saw.svg", svg("grey", title("saw")));
  folder.write("tools/saw_again.svg", svg("grey", title("saw")));
  const Collection data = read_openclipart(folder.path());
  CHECK(class_names(data) == std::vector<std::string>{"flower", "tool"});
  CHECK(data.train.size() + data.held_out.size() == 2);
  CHECK(skipped(data, "the content of another file") == 1);
  CHECK(skipped(data, "a link that leads to no file") == 1);
}

TEST_CASE("drawings that are broken or empty are left out with the reason", "[data][transfer]") {
  const ScratchFolder folder;
  folder.write("people/good.svg", svg("red", title("good")));
  folder.write("people/broken.svg", "<svg");
  folder.write("people/white.svg", svg("white", title("nothing to see")));
  pack_collection(read_openclipart(folder.path()), folder / "x.pack", silent);
  const Json json = open_pack(folder / "x.pack").metadata;
  CHECK(json.at("train").at("captions") == Json{"good"});
  std::set<std::string> first;
  for (const Json& reason : json.at("skipped")) first.insert(reason.at("first")[0].get<std::string>());
  CHECK(first == std::set<std::string>{"people/broken.svg", "people/white.svg"});
}

TEST_CASE("stamps have the first line of their texts, and are laid on white", "[data][transfer]") {
  const ScratchFolder folder;
  const cv::Mat half(20, 10, CV_8UC4, cv::Scalar(0, 0, 255, 128));  // a red that is half transparent, higher than wide
  for (int i = 0; i < 5; ++i) {
    cv::Mat image = half.clone();
    image.at<cv::Vec4b>(0, 0)[1] = static_cast<std::uint8_t>(i);
    const auto name = "food/fruit/apple" + std::to_string(i);
    folder.write(name + ".txt", "A red apple.\nde.utf8=Ein roter Apfel.\n");
    REQUIRE(cv::imwrite((folder / (name + ".png")).string(), image));
  }
  REQUIRE(cv::imwrite((folder / "food/fruit/apple_mirror.png").string(), cv::Mat(4, 4, CV_8UC3, cv::Scalar(1, 2, 3))));
  fs::create_directories(folder / "cartoon/tux");
  REQUIRE(cv::imwrite((folder / "cartoon/tux/tux-yes1.png").string(), half));
  folder.write("town/bus.svg", svg("red", ""));
  folder.write("town/bus.txt",
               "\xe2\x80\x9c"
               "Bus\xe2\x80\x9d");
  REQUIRE(cv::imwrite((folder / "town/bus.png").string(), half));
  const Collection data = read_tuxpaint(folder.path());
  CHECK(class_names(data) == std::vector<std::string>{"fruit"});
  CHECK(data.held_out.size() == 1);
  REQUIRE(data.train.size() == 5);
  CHECK(data.train[0].caption == "A red apple.");
  CHECK(data.train[4].name == "town/bus.svg");
  CHECK(data.train[4].caption == "“Bus”");
  CHECK(skipped(data, "no caption") == 1);
  const cv::Mat drawn = data.draw(data.train[0]);
  REQUIRE(drawn.size() == cv::Size(64, 64));
  CHECK(drawn.at<cv::Vec3b>(32, 4) == cv::Vec3b(255, 255, 255));
  const auto middle = drawn.at<cv::Vec3b>(32, 32);
  CHECK(middle[0] == 255);
  CHECK(middle[1] == 127);
}

TEST_CASE("fashion-mnist is judged on its test images", "[data][transfer]") {
  const ScratchFolder folder;
  write_idx(folder, "t10k", {9, 0});
  std::vector<int> many(1005, 3);
  many.push_back(4);
  write_idx(folder, "train", many);
  const Collection data = read_fashion_mnist(folder.path());
  CHECK(data.only_labelled);
  REQUIRE(data.classes.size() == 10);
  CHECK(data.classes[9].prompts[0] == "a photo of an ankle boot");
  REQUIRE(data.held_out.size() == 2);
  CHECK(data.held_out[0].label == 9);
  CHECK(data.draw(data.held_out[0]).at<cv::Vec3b>(9, 9) == cv::Vec3b(180, 180, 180));
  CHECK(data.probe.size() == 1001);
  CHECK(std::ranges::count(data.probe, 4, &Item::label) == 1);
  write_idx(folder, "train", {10});
  CHECK_THROWS_WITH(read_fashion_mnist(folder.path()), Contains("has the label 10, expected 0 to 9"));
}

TEST_CASE("flags have the region of their country as class", "[data][transfer]") {
  const ScratchFolder folder;
  for (const char* code : {"de", "fr", "it", "td", "_olympic", "eu"}) {
    folder.write(std::string(code) + ".svg", svg("red", title(code)));
  }
  const Collection data = read_iso_flags(folder.path());
  CHECK(data.only_labelled);
  CHECK(class_names(data) == std::vector<std::string>{"Africa", "Europe"});
  CHECK(data.classes[1].prompts[0] == "the flag of a country in Europe");
  CHECK(data.held_out.size() == 3);
  CHECK(data.probe.size() == 1);
  CHECK(data.train.empty());
  CHECK(skipped(data, "not a country of a region with a flag of its own") == 2);
}

TEST_CASE("sets from packages are data sets like others; those without captions can only be evaluated on",
          "[data][transfer]") {
  const auto effective = [](const Json& data) { return effective_data(data, ".", "m.json: /data"); };
  const Json clipart = {{"reader", "openclipart"}, {"clean_share", 0.05}};
  CHECK(effective("openclipart") == clipart);
  CHECK(effective(clipart) == clipart);
  CHECK_THROWS_WITH(effective({{"reader", "tuxpaint"}, {"x", 1}}), Contains("\"tuxpaint\" has no other keys"));
  try {
    effective("iso-flags");
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::kMatrix);
    CHECK_THAT(e.what(), Catch::StartsWith("m.json: /data: ") && Contains("nothing to train on") &&
                             Contains(R"("evaluate": ["iso-flags"])"));
  }
  CHECK_THROWS_WITH(effective("open-clipart"), Contains("did you mean \"openclipart\"") && !Contains("iso-flags"));

  const Json joint = effective({{"train", "emoji"}, {"evaluate", "transfer"}});
  REQUIRE(joint.at("evaluate").size() == 5);
  for (const char* name : kTransferSets) CHECK(joint.at("evaluate").at(name).at("reader") == name);
  CHECK(joint.at("evaluate").at("iso-flags") == Json{{"reader", "iso-flags"}});
  CHECK(effective(joint) == joint);
  CHECK(effective({{"train", "emoji"}, {"evaluate", kTransferSets}}) == joint);
  CHECK_THROWS_WITH(effective({{"train", "emoji"}, {"evaluate", "transfers"}}), Contains("\"transfer\", got"));
  CHECK_THROWS_WITH(effective({{"train", "emoji"}, {"evaluate", {"iso-flag"}}}),
                    Contains("did you mean \"iso-flags\""));
  CHECK(sets_named("transfer").size() == 5);
  CHECK(sets_named("fashion-mnist") == std::vector<Json>{{{"reader", "fashion-mnist"}}});
}

TEST_CASE("missing packages are named all at once, with the command that installs them", "[data][transfer]") {
  const ScratchFolder folder;
  const PackageRoot root(folder.path());
  fs::create_directories(folder / "usr/share/tuxpaint/stamps");
  const auto command = Catch::EndsWith("--no-install-recommends openclipart-svg dataset-fashion-mnist iso-flags-svg");
  CHECK_THROWS_WITH(expect_installed(sets_named("transfer")),
                    Contains("openclipart") && !Contains("tuxpaint") && command);
  CHECK_THROWS_WITH(content_id(effective_data({{"train", "tuxpaint"}, {"evaluate", "transfer"}}, ".", "d")), command);
  CHECK_THROWS_WITH(prepare_data(sets_named("iso-flags")[0], silent), Catch::EndsWith(" iso-flags-svg"));
  for (const Json& info : list_data()) CHECK(info.at("prepared") == false);
}

TEST_CASE("a set from a package is trained on and another one judged by; its id is its content", "[data][transfer]") {
  const ScratchFolder folder;
  const auto write = [&](const std::string& root) {
    const auto clipart = root + "/usr/share/openclipart/svg/", flags = root + "/usr/share/iso-flags-svg/country-4x3/";
    for (const char* colour : {"red", "green", "blue"}) {
      folder.write(clipart + "plants/flowers/" + colour + ".svg", svg(colour, title(colour)));
    }
    for (const char* code : {"de", "fr", "td", "ug"}) folder.write(flags + code + ".svg", svg("red", title(code)));
  };
  write("one");
  write("two");
  const Json set = effective_data({{"train", "openclipart"}, {"evaluate", {"iso-flags"}}}, ".", "d");
  std::string id;
  {
    const PackageRoot root(folder / "one");
    const auto noted = [] {
      return std::ranges::count(list_packs(), "not prepared yet", [](const Json& pack) { return pack.at("data"); });
    };
    const auto before = noted();
    id = content_id(set);
    CHECK(noted() == before + 2);
    const LoadedData data = load_data(set, 64, silent);
    CHECK(noted() == before);
    CHECK(is_prepared(set));
    CHECK(content_id(set) == id);
    CHECK(data.train->size() == 2);
    CHECK(data.held_out.size() == 1);
    CHECK(data.classes[0].name == "flower");
    const Dataset& flags = data.evaluate.at("iso-flags");
    CHECK(flags.held_out.size() == 2);
    CHECK(flags.probe.size() == 2);
    CHECK(flags.classes[0].name == "Africa");
    const auto known = list_data();
    const auto listed = std::ranges::find_if(known, [](const Json& info) { return info.at("name") == "openclipart"; });
    REQUIRE(listed != known.end());
    CHECK(listed->at("pairs") == 2);
    CHECK(listed->at("held_out") == 1);
  }
  const PackageRoot root(folder / "two");
  CHECK_FALSE(is_prepared(set));
  CHECK(content_id(set) == id);
  folder.write("two/usr/share/iso-flags-svg/country-4x3/it.svg", svg("green", ""));
  CHECK(content_id(set) != id);
}

TEST_CASE("a small drawing on a large page fills the image", "[data][transfer]") {
  const ScratchFolder folder;
  folder.write("people/dot.svg", R"(<svg xmlns="http://www.w3.org/2000/svg" width="100" height="200">)"
                                 R"(<rect x="80" y="150" width="10" height="20" fill="red"/></svg>)");
  const Collection data = read_openclipart(folder.path());
  const cv::Mat drawn = data.draw(data.train.at(0));
  CHECK(drawn.at<cv::Vec3b>(32, 32) == cv::Vec3b(255, 0, 0));
  CHECK(drawn.at<cv::Vec3b>(4, 32) == cv::Vec3b(255, 0, 0));
  CHECK(drawn.at<cv::Vec3b>(60, 32) == cv::Vec3b(255, 0, 0));
  CHECK(drawn.at<cv::Vec3b>(32, 8) == cv::Vec3b(255, 255, 255));
}
