/// Ranks as threads of a test.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "harness/model/ranks.h"

namespace roclip::bench {

/// Calls f in as many ranks. Catch2's macros are for the main thread: f returns what is to be checked.
/// @return of each rank, what f returned, or "" and the text of what it threw
template <class T>
struct OfRank {
  T value = {};
  std::string error = {};
};
template <class T>
std::vector<OfRank<T>> over_ranks(int size, const std::function<T(const Ranks&, int)>& f, double patience_s = 60) {
  const int port = free_port();
  std::vector<OfRank<T>> results(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      auto& result = results[static_cast<std::size_t>(rank)];
      try {
        const RankPlace place{.rank = rank, .size = size, .port = port, .patience_s = patience_s};
        Meeting meeting(place);
        const Ranks ranks(meeting, place, 0);
        ranks.any(false);  // all have met before one may leave
        result.value = f(ranks, rank);
        ranks.any(false);  // rank 0, which listens, goes last
      } catch (const std::exception& e) {
        result.error = e.what();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return results;
}

}  // namespace roclip::bench
