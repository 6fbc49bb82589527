#pragma once

#include <string>
#include <vector>

namespace roclip::bench {

/// Debian packages of the fonts of use_dejavu() that are neither installed nor unpacked in $ROCLIP_BENCH_PACKAGES.
std::vector<std::string> missing_font_packages();

/// From now on this process draws text in DejaVu alone, whatever else is installed, and reads no settings of fonts of
/// the machine or the user: other fonts would be other images. Must precede the first text that is drawn; later calls
/// do nothing. Where the fonts are missing, the machine's are used. [any thread]
void use_dejavu();

}  // namespace roclip::bench
