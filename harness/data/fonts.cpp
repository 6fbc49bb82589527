#include "harness/data/fonts.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <mutex>
#include <set>

#include <fontconfig/fontconfig.h>

#include "harness/record/paths.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFolder = "usr/share/fonts/truetype/dejavu";

struct FontPackage {
  const char *name, *file;
};
constexpr std::array kPackages = {FontPackage{"fonts-dejavu-core", "DejaVuSans.ttf"},
                                  FontPackage{"fonts-dejavu-extra", "DejaVuSansCondensed.ttf"}};

constexpr const char* kRuleFolder = "/usr/share/fontconfig/conf.avail";
/// fontconfig's own rules for which font stands in for one that is missing: DejaVu Serif for Times, DejaVu Sans for a
/// name it does not know.
constexpr std::array kRules = {"40-nonlatin.conf", "45-latin.conf", "49-sansserif.conf", "60-latin.conf",
                               "65-nonlatin.conf"};

std::vector<fs::path> folders() {
  std::vector<fs::path> all = {fs::path("/") / kFolder};
  if (const auto root = folder_variable("ROCLIP_BENCH_PACKAGES"); !root.empty()) all.push_back(root / kFolder);
  std::erase_if(all, [](const fs::path& folder) { return !fs::is_directory(folder); });
  return all;
}

const FcChar8* bytes_of(const fs::path& file) { return reinterpret_cast<const FcChar8*>(file.c_str()); }

void set_dejavu() {
  if (!missing_font_packages().empty()) return;
  FcConfig* config = FcConfigCreate();
  for (const char* rule : kRules) FcConfigParseAndLoad(config, bytes_of(fs::path(kRuleFolder) / rule), FcTrue);
  for (const auto& folder : folders()) {
    const std::set<fs::path> files(fs::directory_iterator(folder), {});
    for (const auto& file : files) FcConfigAppFontAddFile(config, bytes_of(file));
  }
  FcConfigSetCurrent(config);
  FcConfigDestroy(config);  // fontconfig keeps the current one
}

}  // namespace

std::vector<std::string> missing_font_packages() {
  const auto all = folders();
  std::vector<std::string> missing;
  for (const auto& [name, file] : kPackages) {
    if (std::ranges::none_of(all, [&](const fs::path& folder) { return fs::exists(folder / file); })) {
      missing.emplace_back(name);
    }
  }
  return missing;
}

void use_dejavu() {
  static std::once_flag done;
  std::call_once(done, set_dejavu);
}

}  // namespace roclip::bench
