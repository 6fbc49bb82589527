/// The trusted pairs of a training set, for defenses that need some: no attack may touch them.
///
/// Convention: `share` is the parameter "clean_share" of a matrix file's data (emoji: kEmojiCleanShare unless the
/// matrix says otherwise). All cells of all seeds trust the same pairs, so that stored poisons of any seed leave them
/// alone. A plan that replaces or removes one of them is refused.
#pragma once

#include <cstdint>
#include <vector>

namespace roclip::bench {

inline constexpr double kEmojiCleanShare = 0.05;

/// Indices of round(share * pairs) training pairs, ascending, drawn from a fixed stream. A larger share contains a
/// smaller one. Pure. @pre pairs >= 0 and 0 <= share <= 1
std::vector<std::int64_t> clean_subset(std::int64_t pairs, double share);

}  // namespace roclip::bench
