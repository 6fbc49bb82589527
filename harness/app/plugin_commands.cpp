#include "harness/app/commands.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <iostream>

#include <boost/algorithm/string/replace.hpp>

#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "roclip/error.h"
#include "stamps.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// my_trigger -> MyTrigger
std::string camel_case(const std::string& name) {
  std::string result;
  bool up = true;
  for (const char c : name) {
    if (c != '_') result += up ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    up = c == '_';
  }
  return result;
}

}  // namespace

int plugin_list_command(const Paths& plugin_path, bool json) {
  const auto plugins = stamped_plugins(plugin_search_path(plugin_path));
  Json found = Json::array(), refused = Json::array();
  std::size_t width = 0;
  for (const auto& plugin : plugins) {
    if (!plugin.refused.empty()) {
      refused.push_back({{"file", plugin.file}, {"reason", plugin.refused}});
      continue;
    }
    width = std::max(width, plugin.stamp.id.size());
    found.push_back({{"kind", plugin.stamp.kind},
                     {"id", plugin.stamp.id},
                     {"summary", plugin.stamp.summary},
                     {"file", plugin.file},
                     {"abi", plugin.stamp.abi},
                     {"build", plugin.stamp.build}});
  }
  if (json) {
    std::cout << Json{{"plugins", found}, {"refused", refused}}.dump(2, ' ', false, Json::error_handler_t::replace)
              << "\n";
    return 0;
  }
  for (const auto& plugin : plugins) {
    if (plugin.refused.empty()) {
      std::printf("%-8s %-*s  %s\n%-8s %-*s  %s\n", plugin.stamp.kind.c_str(), static_cast<int>(width),
                  plugin.stamp.id.c_str(), plugin.stamp.summary.c_str(), "", static_cast<int>(width), "",
                  plugin.file.c_str());
    }
  }
  for (const auto& plugin : plugins) {
    if (!plugin.refused.empty()) std::printf("refused  %s: it %s\n", plugin.file.c_str(), plugin.refused.c_str());
  }
  return 0;
}

int plugin_new_command(const std::string& kind, const std::string& name, const fs::path& folder) {
  const std::string letters = "abcdefghijklmnopqrstuvwxyz";
  if (name.empty() || letters.find(name.front()) == std::string::npos ||
      name.find_first_not_of(letters + "0123456789_") != std::string::npos) {
    throw Error(ErrorKind::kUsage,
                "plugin new: expected a name of lower-case letters, digits and _ that begins with a letter, such as "
                "my_trigger, got \"" +
                    name + "\"");
  }
  for (const auto& [file, stamp, refused] : stamped_plugins(plugin_search_path({}))) {
    if (stamp.kind == kind && stamp.name() == name) {
      throw Error(ErrorKind::kUsage, "plugin new: there is " + stamp.id + " in " + file.string() +
                                         " already, and one name means one plugin; choose another");
    }
  }
  const fs::path target = folder.empty() ? fs::path(name) : folder;
  std::error_code error;
  if (fs::exists(target, error) && !fs::is_empty(target, error)) {
    throw Error(ErrorKind::kData, target.string() + ": is there and not empty, and stays as it is; give another --dir");
  }
  fs::create_directories(target, error);
  if (error) throw Error(ErrorKind::kData, target.string() + ": cannot be made: " + error.message());
  const auto filled = [&](std::string text) {
    boost::replace_all(text, "@name@", name);
    boost::replace_all(text, "@Name@", camel_case(name));
    boost::replace_all(text, "@kind@", kind);
    boost::replace_all(text, "@prefix@", program_dir().parent_path().string());
    return text;
  };
  std::printf("%s/\n", target.c_str());
  std::vector<fs::path> files;
  for (const auto& part : {std::string("any"), kind}) {
    for (const auto& entry : fs::directory_iterator(share_dir() / "template" / part)) files.push_back(entry.path());
  }
  std::ranges::sort(files, {}, [](const fs::path& file) { return file.filename(); });
  for (const auto& file : files) {
    const fs::path written = filled(file.extension() == ".in" ? file.stem().string() : file.filename().string());
    write_file(target / written, filled(read_file(file)));
    std::printf("  %s\n", written.c_str());
  }
  std::printf(
      "next:\n  cd %s\n  cmake -B build -DCMAKE_PREFIX_PATH=%s && cmake --build build && ctest --test-dir build\n"
      "  roclip-bench run matrix.json --plugin-path build/plugins\n",
      target.c_str(), program_dir().parent_path().c_str());
  return 0;
}

int schema_command(const std::string& what) {
  const auto file = share_dir() / "schema" / ((what == "result" ? "cell" : what) + ".schema.json");
  std::fputs(read_file(file).c_str(), stdout);
  return 0;
}

}  // namespace roclip::bench
