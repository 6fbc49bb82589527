/// What is run: one cell of a matrix.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "roclip/params.h"

namespace roclip::bench {

/// What a cell may use; 0 = no limit of ours. Not part of a cell's id.
struct Limits {
  double time_s = 0;      ///< wall time of one worker
  double memory_mib = 0;  ///< its resident memory

  void declare(ParamList& list);
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Limits, time_s, memory_mib)

/// When a worker writes a checkpoint besides at the end of training and when it is stopped. Decides how much a killed
/// cell loses, never what comes out: not part of a cell's id.
struct CheckpointPolicy {
  double every_s = 60;
  std::int64_t every_epochs = 0;

  void declare(ParamList& list);
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(CheckpointPolicy, every_s, every_epochs)

/// One training run and its evaluation.
struct Cell {
  std::string id;       ///< "targeted-roclip-s1-3f9a2c1b": readable front, config_hash() behind
  std::string attack;   ///< row of the grid
  std::string defense;  ///< column of the grid
  std::int64_t seed = 0;
  Json requested;            ///< the parameters as written, sweeps resolved
  Json config;               ///< fully defaulted; everything that can change a number
  Limits limits = {};        ///< what its worker may use
  std::string refused = {};  ///< why it cannot run: a plugin that did not pass the handshake; "" = it can
};

/// Hash of all in a cell's configuration that can change a number: not the paths of the data, whose content has an
/// entry of its own, nor of merges, of which there is one content, nor of weights, whose hash stays, nor the order of
/// the metrics. The end of a cell's id.
std::string config_hash(Json config);

void to_json(Json& json, const Cell& cell);
void from_json(const Json& json, Cell& cell);
/// All of them in their order; neighbours that differ by their seed only are written once.
Json cells_to_json(const std::vector<Cell>& cells);
std::vector<Cell> cells_from_json(const Json& groups);

/// "my_defense" of "my_defense/1"
std::string plugin_name(const std::string& id);

/// What a metric is called on a further set of images: "zero_shot@cifar10/1" of "zero_shot/1" and "cifar10".
std::string metric_on_set(const std::string& id, const std::string& set);

/// "targeted x roclip, seed 1"
std::string cell_name(const std::string& attack, const std::string& defense, std::int64_t seed);
inline std::string cell_name(const Cell& cell) { return cell_name(cell.attack, cell.defense, cell.seed); }

}  // namespace roclip::bench
