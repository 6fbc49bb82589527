/// Reads the images of coming batches on other threads, so that training does not wait for them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <torch/types.h>

#include "roclip/dataset.h"

namespace roclip::bench {

/// Gives batch after batch of an order. Order and bits do not depend on the number of threads. [one thread, besides its
/// own]
class Loader {
 public:
  /// @param pairs must outlive this @param threads at least 1 @param ahead batches that may be read or wait, at least 1
  /// @param pinned into memory that a GPU copies from without help of the processor; needs a GPU
  Loader(const PairSource& pairs, int threads, std::int64_t ahead, bool pinned = false);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Begins to read these pairs; batches of an earlier order that were not taken are dropped.
  /// @param order i64 [n * batch_size], kept
  void start(torch::Tensor order, std::int64_t batch_size);
  /// The next batch, as PairSource::images() gives it; waits for it. @throws what reading it threw, of several images
  /// the first of the batch. @pre start() has given more batches than were taken
  torch::Tensor next();

 private:
  struct Batch {
    torch::Tensor images;  ///< u8 [B, 3, px, px]
    std::int64_t unread = 0;
    std::int64_t failed_at = 0;
    std::exception_ptr failure;
  };
  void work();
  /// Under the lock: the batch of the position that is read next, if it may be read now.
  bool may_read() const;

  const PairSource& pairs_;
  const std::int64_t ahead_;
  const bool pinned_;
  std::mutex mutex_;
  std::condition_variable changed_;
  torch::Tensor order_;
  std::int64_t batch_size_ = 1, end_ = 0;
  std::int64_t position_ = 0;  ///< in the order: which pair is read next
  std::int64_t taken_ = 0;     ///< batches
  std::int64_t reading_ = 0;   ///< threads that read now
  std::deque<Batch> batches_;  ///< taken_, taken_ + 1, ...
  bool stops_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace roclip::bench
