/// How far something is, for those who wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace roclip::bench {

/// Tells a person how far something is: "rendering emoji", 640 of 11,500. A total of 0 makes `what` a notice, a line to
/// be shown as it is. Called from one thread, the caller's.
using Progress = std::function<void(std::string_view what, std::int64_t done, std::int64_t total)>;

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// How far a training is; told about ten times a second and at the end of every epoch.
struct TrainProgress {
  static constexpr const char* kName = "train_progress";  ///< harness/record/protocol.h
  std::string stage;
  std::int64_t epoch = 0, epochs = 0;  ///< over all stages
  std::int64_t step = 0,
               steps = 0;  ///< since the start of training; `steps` as if every epoch were as long as this one
  double loss = 0;         ///< nats, mean over this epoch so far
  double pairs_per_s = 0;  ///< over this epoch so far
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainProgress, stage, epoch, epochs, step, steps, loss, pairs_per_s)

}  // namespace roclip::bench
