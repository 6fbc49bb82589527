/// AdamW over one flat arena.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <torch/types.h>

#include "harness/model/ranks.h"
#include "roclip/params.h"

namespace torch::serialize {
class OutputArchive;
class InputArchive;
}  // namespace torch::serialize

namespace roclip::bench {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.1;
};

/// Decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101). Parameters of two or more dimensions decay;
/// norms, biases and the temperature do not.
///
/// All parameters are moved into one flat tensor, and so are their gradients: a step is a handful of vector operations
/// instead of a dozen per tensor, and a checkpoint is three tensors.
class AdamW {
 public:
  /// Re-points the parameters at the arena; they stay usable as before. They keep their strides (channels last).
  /// @pre all on one device, f32, without gaps
  /// @param rates factors on the learning rate, one for each parameter; empty = all 1
  /// @param in_arena whether gradients are added up in the arena, which the CPU is faster with; else they are taken
  /// from where autograd makes them, which spares a GPU a kernel for each. Given: with ranks, and for tests
  AdamW(const std::vector<torch::Tensor>& parameters, const AdamWOptions& options,
        const std::vector<double>& rates = {}, std::optional<bool> in_arena = {});

  /// Also gives back to the parameters their gradients in the arena, should somebody have put others there.
  void zero_grad();
  /// Of all ranks. @pre in_arena, if there are several
  void sum_gradients(const Ranks& ranks) { ranks.sum_in_place(gradients_); }
  /// Scales all gradients so that together they are at most `longest` long (Pascanu et al. 2013, arXiv 1211.5063).
  void shorten_gradient(double longest);
  /// A parameter without gradient in this step counts as gradient zero: it still decays and keeps its momentum, as
  /// the text tower does in the matching epochs of the RoCLIP authors' code.
  void step(double learning_rate);

  /// All parameters and the state of the optimizer.
  void save(torch::serialize::OutputArchive& archive) const;
  void load(torch::serialize::InputArchive& archive);

 private:
  /// A part of the arena whose parameters are treated alike.
  struct Group {
    std::int64_t begin, count;      ///< in the arena
    std::size_t first, parameters;  ///< in parameters_
    double weight_decay, rate;
  };
  /// Of each parameter, in the arena or where autograd made it; zeros where it made none.
  std::vector<torch::Tensor> gradients() const;
  /// Of each parameter, its part of an arena.
  std::vector<torch::Tensor> windows(const torch::Tensor& arena) const;

  AdamWOptions options_;
  torch::Tensor values_, gradients_, mean_, square_;  ///< f32 [N]
  std::vector<Group> groups_;                         ///< all of it, in order
  std::vector<torch::Tensor> parameters_;
  bool in_arena_;
  std::vector<torch::Tensor> gradient_windows_, mean_windows_, square_windows_;  ///< the last two: not in_arena_ only
  std::int64_t steps_ = 0;
};

}  // namespace roclip::bench
