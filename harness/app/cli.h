/// The command line.
#pragma once

namespace roclip::bench {

/// Parses, dispatches, and turns every exception into one message and its documented exit code.
int cli(int argc, char** argv);

}  // namespace roclip::bench
