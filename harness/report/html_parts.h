/// Sections of the HTML page; each is "" if there is nothing to show.
#pragma once

#include <string>

#include "harness/report/summary.h"

namespace roclip::bench {

/// Attack success against clean utility, one chart an attack.
std::string trade_offs(const Summary& summary);
/// Loss and similarity of clean and poisoned pairs by epoch.
std::string curves(const Study& study);
/// Numeric parameters of one defense that take three values or more while all others stay.
std::string sweeps(const Study& study, const Summary& summary);
/// Poisoned pairs, and what each model predicts for a few test images.
std::string example_predictions(const Study& study);

}  // namespace roclip::bench
