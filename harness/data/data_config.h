/// Which readers there are, by their names in matrix files.
#pragma once

#include <string>

namespace roclip::bench {

inline constexpr const char *kEmoji = "emoji", *kScenes = "scenes";
inline constexpr const char* kTrain = "train";  ///< key of what is trained on, beside "evaluate"

/// Whether a set needs nothing but its name, which is that of its reader.
bool is_ours(const std::string& reader);

/// "clean_share" where the matrix file says nothing.
double usual_clean_share(const std::string& reader);

}  // namespace roclip::bench
