/// The subcommands that only print. Each returns an exit code and throws Error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace roclip::bench {

using Paths = std::vector<std::filesystem::path>;

int plan_command(const std::filesystem::path& matrix, const Paths& plugin_path, bool json);
int plugin_list_command(const Paths& plugin_path, bool json);
/// @param name "badnets" or "badnets/1" of any kind
int plugin_info_command(const std::string& name, const Paths& plugin_path, bool json);
/// @param data "emoji", or a matrix file, whose data is then meant
int data_prepare_command(const std::string& data);
int data_list_command(bool json);
int data_show_command(const std::string& data, const std::string& split, std::int64_t count, std::uint64_t seed,
                      const std::filesystem::path& png);

}  // namespace roclip::bench
