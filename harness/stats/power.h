/// What a study can and cannot see, before it is run.
#pragma once

#include <cstdint>

namespace roclip::bench {

/// The fewest items that one defense must win, the other none, for McNemar's exact two-sided test to give p < 0.05.
/// (McNemar 1947, Psychometrika 12; exact version: binomial test on the discordant items.)
std::int64_t fewest_discordant_items();
/// The fewest seeds with which the exact two-sided sign test over seeds can give p < 0.05 at all.
std::int64_t fewest_seeds();

}  // namespace roclip::bench
