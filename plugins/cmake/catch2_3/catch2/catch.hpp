/// Catch2 3 under the name and with the words of Catch2 2.
#pragma once

#include <string>
#include <utility>

#include <catch2/catch_all.hpp>

namespace Catch {

using Matchers::EndsWith, Matchers::StartsWith, Matchers::UnorderedEquals;
inline auto Contains(std::string text) { return Matchers::ContainsSubstring(std::move(text)); }

}  // namespace Catch

using Catch::Approx;

#ifdef CATCH_CONFIG_MAIN
int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
#endif
