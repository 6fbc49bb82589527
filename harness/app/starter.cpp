#include "harness/app/commands.h"

#include <cstdio>

#include <boost/algorithm/string/replace.hpp>

#include "harness/record/files.h"
#include "harness/record/paths.h"

namespace roclip::bench {

namespace fs = std::filesystem;

std::string starter_matrix(const std::string& name) {
  std::string text = read_file(share_dir() / "template" / "study" / "matrix.json");
  const auto schema = share_dir() / "schema" / "matrix.schema.json";
  boost::replace_all(text, "\"@schema@\"", Json(schema.string()).dump());
  boost::replace_all(text, "\"@name@\"", Json(name).dump());
  return text;
}

int init_command(const fs::path& file) {
  std::error_code none;
  if (fs::exists(fs::symlink_status(file, none))) {
    throw Error(ErrorKind::kUsage, file.string() +
                                       ": exists already and is left as it is; give another name: "
                                       "roclip-bench init FILE");
  }
  const auto name = fs::absolute(file).lexically_normal().parent_path().filename().string();
  write_file(file, starter_matrix(name.empty() ? "study" : name));
  std::printf("wrote %s\nnext: roclip-bench plan %s\nthen: roclip-bench run %s\n", file.c_str(), file.c_str(),
              file.c_str());
  return 0;
}

}  // namespace roclip::bench
