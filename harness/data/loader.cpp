#include "harness/data/loader.h"

#include <sched.h>

#include <algorithm>
#include <cstring>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip::bench {

Loader::Loader(const PairSource& pairs, int threads, std::int64_t ahead, bool pinned)
    : pairs_(pairs), ahead_(ahead), pinned_(pinned) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Loader::start(torch::Tensor order, std::int64_t batch_size) {
  std::unique_lock lock(mutex_);
  end_ = position_;  // nothing more of the earlier order
  changed_.wait(lock, [&] { return reading_ == 0; });
  order_ = order.contiguous();
  batch_size_ = batch_size;
  end_ = order_.numel();
  position_ = taken_ = 0;
  batches_.clear();
  lock.unlock();
  changed_.notify_all();
}

bool Loader::may_read() const { return position_ < end_ && position_ / batch_size_ < taken_ + ahead_; }

namespace {

/// A worker that trains one of several cells stays on one processor; whoever reads for it need not.
void use_any_processor() {
  cpu_set_t all;
  std::memset(&all, 0xff, sizeof all);
  ::sched_setaffinity(0, sizeof all, &all);
}

}  // namespace

void Loader::work() {
  use_any_processor();
  constexpr std::int64_t kAtOnce = 8;  // so that several threads share a batch, and the lock is rarely taken
  const auto px = pairs_.image_px();
  const auto bytes = torch::TensorOptions(torch::kByte).pinned_memory(pinned_);
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stops_ || may_read(); });
    if (stops_) return;
    const auto batch = position_ / batch_size_, first = position_ % batch_size_;
    const auto count = std::min(kAtOnce, batch_size_ - first);
    if (first == 0) batches_.push_back({torch::empty({batch_size_, 3, px, px}, bytes), batch_size_, 0, nullptr});
    auto& target = batches_[static_cast<std::size_t>(batch - taken_)];  // a deque keeps it where it is
    auto* to = target.images.data_ptr<std::uint8_t>() + first * 3 * px * px;
    const auto* index = order_.data_ptr<std::int64_t>() + position_;
    position_ += count;
    ++reading_;
    lock.unlock();
    std::exception_ptr failure;
    std::int64_t failed_at = 0;
    for (std::int64_t i = 0; i < count && !failure; ++i) {
      try {
        pairs_.read_image(index[i], to + i * 3 * px * px);
      } catch (...) {
        failure = std::current_exception();
        failed_at = first + i;
      }
    }
    lock.lock();
    --reading_;
    target.unread -= count;
    if (failure && (!target.failure || failed_at < target.failed_at)) {
      target.failure = failure;
      target.failed_at = failed_at;
    }
    changed_.notify_all();
  }
}

torch::Tensor Loader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !batches_.empty() && batches_.front().unread == 0; });
  Batch batch = std::move(batches_.front());
  batches_.pop_front();
  ++taken_;
  lock.unlock();
  changed_.notify_all();
  if (batch.failure) std::rethrow_exception(batch.failure);
  return batch.images;
}

}  // namespace roclip::bench
