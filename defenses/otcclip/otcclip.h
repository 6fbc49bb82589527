/// After OTCClip (EMNLP 2025, arXiv 2509.18717), of which we know the abstract: as in RoCLIP, images are matched with a
/// pool of captions in every match_every-th epoch, but by the optimal transport between the places of an image and the
/// words of a caption, so that a caption must account for all of the image.
#pragma once

#include <string>

#include "roclip/caption_pool.h"
#include "roclip/defense.h"

namespace roclip {

class OtcclipDefense final : public Defense {
 public:
  struct Params {
    double pool_fraction = 0.02;
    std::int64_t match_every = 2;
    std::int64_t shortlist = 2;
    double epsilon = 0.05;
    std::int64_t iterations = 20;
    bool image_augmentation = true;
    bool text_augmentation = true;
    ImageAugmentation image;
    TextAugmentation text;

    void declare(ParamList& list);
  };

  explicit OtcclipDefense(Params params) : params_(std::move(params)) {}

  void before_epoch(TrainContext& context) override;
  torch::Tensor augment_images(const torch::Tensor& pixels, TrainContext& context) override;
  std::string augment_caption(const std::string& caption, TrainContext& context) override;
  bool text_requires_grad(const TrainContext& context) const override { return !matches_in(context.epoch); }
  torch::Tensor loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                     TrainContext& context) override;
  void save(torch::serialize::OutputArchive& archive) const override { pool_.save(archive); }
  void load(torch::serialize::InputArchive& archive) override { pool_.load(archive); }

  /// Row of the pool for each image: of the shortlist, the caption to whose words its places are carried at the least
  /// cost. Without gradient. @param pixels f32 [B, 3, H, W]. @param z_img f32 [B, D], of them. @return i64 [B]
  torch::Tensor match(const torch::Tensor& pixels, const torch::Tensor& z_img, ClipModel& model) const;
  const CaptionPool& pool() const { return pool_; }

 private:
  bool matches_in(std::int64_t epoch) const { return params_.match_every > 0 && epoch % params_.match_every == 0; }

  Params params_;
  CaptionPool pool_;
};

}  // namespace roclip
