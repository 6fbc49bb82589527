/// Checkpoints of one training: atomic, checksummed, the last two kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "roclip/params.h"

namespace torch::serialize {
class OutputArchive;
class InputArchive;
}  // namespace torch::serialize

namespace roclip::bench {
struct CheckpointPolicy;

/// Files `<step>.ckpt` in a folder of their own. [one process at a time]
class CheckpointStore {
 public:
  /// @param folder made when it is needed
  CheckpointStore(std::filesystem::path folder, const CheckpointPolicy& policy);

  /// Whether the time since the last one asks for another.
  bool due(double seconds_since_last) const;
  /// Whether the end of this epoch does.
  bool due_after(std::int64_t epoch) const;

  /// Writes what `fill` puts into the archive, then deletes all but the newest two. @throws Error(kData)
  void save(std::int64_t step, const std::function<void(torch::serialize::OutputArchive&)>& fill) const;
  /// Hands the newest whole checkpoint to `take`; a damaged one is named on stderr and passed over.
  /// @return false if there is none
  bool load(const std::function<void(torch::serialize::InputArchive&)>& take) const;

 private:
  std::filesystem::path folder_;
  double every_s_;
  std::int64_t every_epochs_;
};

}  // namespace roclip::bench
