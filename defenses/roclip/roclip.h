/// RoCLIP (Yang, Gao and Mirzasoleiman, NeurIPS 2023, arXiv 2303.06854): in every match_every-th epoch an image is not
/// paired with its own caption but with the most similar one of a pool of random captions, so that a poisoned image
/// meets clean captions instead of its poison.
#pragma once

#include <string>

#include "roclip/caption_pool.h"
#include "roclip/defense.h"

namespace roclip {

class RoclipDefense final : public Defense {
 public:
  struct Params {
    double pool_fraction = 0.02;
    std::int64_t pool_size = 0;
    std::int64_t match_every = 2;
    std::int64_t periods = 0;
    std::int64_t first_matching_epoch = 1;
    std::string pool_initialisation = "captions";
    std::string pool_refresh = "matching";
    std::string pool_end = "wraps";
    std::string text_gradient = "none";
    bool image_augmentation = true;
    bool text_augmentation = true;
    std::string text_augmentation_draws = "every_epoch";
    std::string schedule = "whole";
    ImageAugmentation image;
    TextAugmentation text;

    void declare(ParamList& list);
  };

  explicit RoclipDefense(Params params) : params_(std::move(params)) {}

  /// Epochs count from 1, or the periods that stand for them. match_every 0: never, which leaves augmentation only.
  bool matches_in(std::int64_t epoch) const;

  std::vector<Stage> stages(const Stage& training) const override;
  void before_stage(TrainContext& context) override;
  void before_epoch(TrainContext& context) override;
  torch::Tensor augment_images(const torch::Tensor& pixels, TrainContext& context) override;
  std::string augment_caption(const std::string& caption, TrainContext& context) override;
  bool text_requires_grad(const TrainContext& context) const override { return !matches(context); }
  torch::Tensor loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                     TrainContext& context) override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

  const CaptionPool& pool() const { return pool_; }

 private:
  bool matches(const TrainContext& context) const;
  CaptionPool new_pool(TrainContext& context) const;
  void enqueue(const torch::Tensor& z_txt, const torch::Tensor& tokens);

  Params params_;
  CaptionPool pool_;
  std::uint64_t caption_seed_ = 0;  ///< of captions that are changed once
};

}  // namespace roclip
