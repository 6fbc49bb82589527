/// A study as one HTML file that works offline: grids, charts, pictures, provenance.
#pragma once

#include <string>

#include "harness/report/summary.h"

namespace roclip::bench {

/// Reads the stored cells and the pictures beside the manifests; what is not there is left out. No script: filters are
/// rules of style, and it works in light, dark, print and by keyboard. Everything that came from data is escaped.
std::string render_html(const Study& study, const Summary& summary);

// Its sections with charts; each is "" if there is nothing to show.
/// Attack success against clean utility: one chart over all attacks, one an attack.
std::string trade_offs(const Summary& summary);
/// ROC curves of every metric whose details have "roc".
std::string detection(const Study& study, const Summary& summary);
/// Loss and similarity of clean and poisoned pairs by epoch.
std::string curves(const Study& study);
/// Numeric parameters of one defense that take three values or more while all others stay.
std::string sweeps(const Study& study, const Summary& summary);
/// Of attacks that studies with other numbers of training pairs share: success and clean accuracy against that number.
std::string scaling(const Study& study, const Summary& summary);
/// Open where there are few attacks; else whoever wants the details opens them.
std::string foldable(const std::string& heading, const std::string& content, std::size_t attacks);

}  // namespace roclip::bench
