/// Checkpoints of one training: atomic, checksummed, the last two kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "harness/record/cell.h"

namespace torch::serialize {
class OutputArchive;
class InputArchive;
}  // namespace torch::serialize

namespace roclip::bench {

/// Files `<step>.ckpt` in a folder of their own. [one process at a time]
class CheckpointStore {
 public:
  /// @param folder made when it is needed
  CheckpointStore(std::filesystem::path folder, const CheckpointPolicy& policy)
      : folder_(std::move(folder)), policy_(policy) {}

  /// Whether the time since the last one asks for another.
  bool due(double seconds_since_last) const { return policy_.every_s > 0 && seconds_since_last >= policy_.every_s; }
  /// Whether the end of this epoch does.
  bool due_after(std::int64_t epoch) const { return policy_.every_epochs > 0 && epoch % policy_.every_epochs == 0; }

  /// Writes what `fill` puts into the archive, then deletes all but the newest two. @throws Error(kData)
  void save(std::int64_t step, const std::function<void(torch::serialize::OutputArchive&)>& fill) const;
  /// The newest whole checkpoint; "" if there is none. A damaged one is named on stderr and passed over.
  std::string newest() const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  CheckpointPolicy policy_;
};

/// Of newest(): what save() was given, on the CPU.
torch::serialize::InputArchive opened(std::string checkpoint);

}  // namespace roclip::bench
