/// AdamW over one flat arena.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

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
  AdamW(const std::vector<torch::Tensor>& parameters, const AdamWOptions& options,
        const std::vector<double>& rates = {});

  /// Also gives back to the parameters their gradients in the arena, should somebody have put others there.
  void zero_grad();
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
    std::int64_t begin, count;
    double weight_decay, rate;
  };

  AdamWOptions options_;
  torch::Tensor values_, gradients_, mean_, square_;  ///< f32 [N]
  std::vector<Group> groups_;                         ///< all of it, in order
  std::vector<torch::Tensor> parameters_, windows_;   ///< windows_[i] is where the gradient of parameters_[i] stands
  std::int64_t steps_ = 0;
};

}  // namespace roclip::bench
