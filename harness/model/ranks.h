/// Processes that train one model together, over LibTorch's c10d.
///
/// Every rank does the same: it draws the same batches, calls the same hooks and computes the same loss over all
/// embeddings. What they share out are the rows of a batch within the towers, so that each computes and keeps the
/// activations of its own. Embeddings are gathered with their gradients (the "local loss" of Cherti et al. 2023, arXiv
/// 2212.07143, would gather them without), so the sum of all ranks' gradients of a weight is the gradient of one
/// process on the whole batch, and a defense need not know of ranks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <torch/types.h>

#include "harness/record/rank_place.h"
#include "harness/record/torch_compat.h"
#include "roclip/error.h"

namespace roclip::bench {

/// Other ranks have ended, or cannot be reached. What was trained up to the last checkpoint is not lost.
class RanksLost : public Error {
 public:
  explicit RanksLost(const std::string& what) : Error(ErrorKind::kInternal, what) {}
};

/// Where ranks find each other and rank 0 says what is to be done. [one thread]
class Meeting {
 public:
  /// Rank 0 listens there, unless torchrun does; the others connect. @throws RanksLost if they cannot
  explicit Meeting(const RankPlace& place);
  ~Meeting();
  /// By rank 0. @param number not negative; another than the last one
  void announce(std::int64_t number, const std::string& work);
  /// By rank 0, in the end: announces work "", and waits a while for the others to hear of it.
  void dismiss();
  /// By the others: waits for work with another number than `last`.
  /// @throws RanksLost if rank 0 cannot be reached for as long as the ranks have patience
  std::pair<std::int64_t, std::string> await(std::int64_t last);

 private:
  friend class Ranks;
  struct Store;
  void connect();
  RankPlace place_;
  std::unique_ptr<Store> store_;
};

/// The group that does one piece of work. All calls are collective: every rank makes the same ones in the same order,
/// and waits in them for the others. They throw RanksLost naming those that are gone. [one thread]
class Ranks {
 public:
  /// Of one process, in which no call does anything.
  static const Ranks& alone();
  /// Returns when all are there. @param meeting outlives it @param work its number
  Ranks(Meeting& meeting, const RankPlace& place, std::int64_t work);
  ~Ranks();

  /// From now on, tensors of this process's GPU go from card to card; without it, through the host's memory.
  /// Collective.
  /// @param library libroclip_nccl.so @param gpu the name of the GPU, which no other has on this machine
  /// @return why not; "" if they do: a rank has no such library, or two have the same GPU, which NCCL refuses
  /// @throws Error(kInternal) if the library cannot be loaded
  std::string use_nccl(const std::filesystem::path& library, const std::string& gpu) const;

  int size() const { return place_.size; }
  bool is_first() const { return place_.rank == 0; }

  // Differentiable.
  /// f on own_rows(), as if it had been on all. @param input [n, ...], equal on all
  /// ranks
  /// @param f of n rows makes n rows, each of its own row, batch statistics aside @throws Error(kMatrix) for
  /// fewer rows than ranks while gradients are recorded; without gradients each rank computes them all
  torch::Tensor shared_out(const std::function<torch::Tensor(const torch::Tensor&)>& f,
                           const torch::Tensor& input) const;
  /// Of each rank, for use by each, so that gradients are summed. [K] -> [size(), K]
  torch::Tensor of_all(const torch::Tensor& x) const;
  /// x, a weight that every rank uses for the same on the whole batch: of its gradient, this rank's share.
  torch::Tensor used_by_all(const torch::Tensor& x) const;

  // Without gradient.
  void sum_in_place(torch::Tensor& x) const;
  /// [n, ...] of each rank, equal shapes -> [size * n, ...], in the order of the ranks
  torch::Tensor gathered(const torch::Tensor& own) const;
  /// Whether any rank says so.
  bool any(bool own) const;
  /// What rank 0 has. @param own ignored elsewhere
  std::string from_first(const std::string& own) const;
  /// This rank's rows, about n / size() of them, in order: the first ones, and behind them those of the other ranks.
  torch::Tensor own_rows(const torch::Tensor& rows) const;

 private:
  struct Group;
  Ranks();
  torch::Tensor all_rows(const torch::Tensor& own, std::int64_t count) const;
  CollectiveBackend& network_of(const torch::Tensor& tensor) const;
  void done(const std::function<void()>& collective) const;
  [[noreturn]] void give_up(const std::string& why) const;

  RankPlace place_;
  std::unique_ptr<Group> group_;
};

}  // namespace roclip::bench
