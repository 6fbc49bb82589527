/// Paired comparisons of two defenses: over the items of one seed, or over seeds. All exact and two-sided.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace roclip::bench {

/// Probability of a split of n fair coins at least as uneven as `wins` to `losses`; 1 without coins.
/// With discordant items this is McNemar's exact test (McNemar 1947, Psychometrika 12), with seeds the sign test.
double sign_test(std::int64_t wins, std::int64_t losses);

/// McNemar's exact test on the outcomes of the same items, one digit an item, as cells store them.
/// @pre equal lengths
double mcnemar(std::string_view a, std::string_view b);

/// Permutation test of paired differences (Fisher 1935): the share of all 2^n choices of signs whose sum is at least as
/// far from 0. Exact by enumeration up to 20 differences; beyond that the sign test, which needs no enumeration.
double permutation_test(std::span<const double> differences);

/// p-values adjusted for testing all of them (Holm 1979, Scand. J. Statist. 6): the chance of any false alarm among
/// those below 0.05 stays below 0.05. In the order given.
std::vector<double> holm(std::span<const double> p_values);

/// The fewest items that one defense must win, the other none, or the fewest seeds that must all agree, for an exact
/// two-sided test to give p < 0.05 / comparisons.
std::int64_t fewest_unanimous(std::int64_t comparisons = 1);

}  // namespace roclip::bench
