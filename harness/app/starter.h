/// `roclip-bench init`.
#pragma once

#include <filesystem>
#include <string>

namespace roclip::bench {

/// A small matrix file that runs as it is, with comments that say what to change.
std::string starter_matrix(const std::string& name);

/// Writes it and says what comes next. @return 0. @throws Error(kUsage) if there is such a file already,
/// Error(kData) if it cannot be written
int init_command(const std::filesystem::path& file);

}  // namespace roclip::bench
