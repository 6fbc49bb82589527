/// A study as one HTML file that works offline: grids, charts, pictures, provenance.
#pragma once

#include <string>

#include "harness/report/summary.h"

namespace roclip::bench {

/// Reads the stored cells and the pictures beside the manifests; what is not there is left out. No script: it works in
/// light, dark, print and by keyboard. Everything that came from data is escaped.
std::string render_html(const Study& study, const Summary& summary);

}  // namespace roclip::bench
