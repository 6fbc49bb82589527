/// Where a process stands among those that train one model together.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "roclip/params.h"

namespace roclip::bench {

struct RankPlace {
  int rank = 0;                       ///< 0 evaluates, and writes checkpoints and results
  int size = 1;                       ///< of how many
  int local = 0;                      ///< among those on this machine
  std::string address = "127.0.0.1";  ///< of the machine of rank 0
  int port = 0;                       ///< on it, where the ranks meet
  bool has_host = false;              ///< whether torchrun listens there; else rank 0 does
  double patience_s = 600;            ///< how long a rank waits for the others before it gives them up
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(RankPlace, rank, size, local, address, port, has_host, patience_s)

/// ROCLIP_BENCH_PATIENCE_S, else 600: how long ranks wait for each other. @throws Error(kUsage)
double ranks_patience_s(const std::function<const char*(const char*)>& variable);

/// What torchrun tells the processes that it starts: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, LOCAL_RANK and
/// TORCHELASTIC_USE_AGENT_STORE. Nothing where one of the first four is missing, or for a single rank.
/// @param variable as getenv(3) @throws Error(kUsage) naming a variable that makes no sense
std::optional<RankPlace> rank_place(const std::function<const char*(const char*)>& variable);

/// A port of this machine on which nobody listens now.
int free_port();

}  // namespace roclip::bench
