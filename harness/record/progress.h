/// How far something is, for those who wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "harness/record/text.h"

namespace roclip::bench {

/// Tells a person how far something is: "rendering emoji", 640 of 11,500. A total of 0 makes `what` a notice, a line to
/// be shown as it is. Called from one thread at a time.
using Progress = std::function<void(std::string_view what, std::int64_t done, std::int64_t total)>;

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Puts what Progress tells into a line: "storing images 8192/200000, 10600 a second, 18 s left".
class PaceLine {
 public:
  std::string operator()(const std::string& what, std::int64_t done, std::int64_t total) {
    if (what != what_ || done < first_) {  // something new begins
      what_ = what;
      first_ = done;
      start_ = std::chrono::steady_clock::now();
    }
    std::string line = what + " " + std::to_string(done) + "/" + std::to_string(total);
    const double wall_s = seconds_since(start_);
    if (wall_s < 1 || done == first_) return line;
    const double rate = static_cast<double>(done - first_) / wall_s;
    return line + format(", %.4g a second, ", rate) + show_duration(static_cast<double>(total - done) / rate) + " left";
  }

 private:
  std::string what_;
  std::int64_t first_ = 0;
  std::chrono::steady_clock::time_point start_;
};

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
