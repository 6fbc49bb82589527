/// Second opinion (ours), after RoCLIP (Yang, Gao and Mirzasoleiman, NeurIPS 2023, arXiv 2303.06854): an image learns
/// from its own caption as long as few captions of a pool are more similar to it, else from the most similar one. What
/// RoCLIP does with all pairs of every second epoch is done, in all epochs but the first, with the pairs whose caption
/// the model does not believe. Captions learn from their own images always.
#pragma once

#include <string>

#include "roclip/caption_pool.h"
#include "roclip/defense.h"

namespace roclip {

class SecondOpinion final : public Defense {
 public:
  struct Params {
    double pool_fraction = 0.02;
    double plain_share = 0.1;
    double believed_share = 0.05;
    std::string otherwise = "nearest";
    double text_weight = 0.5;
    bool image_augmentation = true;
    bool text_augmentation = true;
    ImageAugmentation image;
    TextAugmentation text;

    void declare(ParamList& list);
  };

  explicit SecondOpinion(Params params) : params_(std::move(params)) {}

  torch::Tensor augment_images(const torch::Tensor& pixels, TrainContext& context) override;
  std::string augment_caption(const std::string& caption, TrainContext& context) override;
  torch::Tensor loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                     TrainContext& context) override;
  void save(torch::serialize::OutputArchive& archive) const override { pool_.save(archive); }
  void load(torch::serialize::InputArchive& archive) override { pool_.load(archive); }

  const CaptionPool& pool() const { return pool_; }

 private:
  Params params_;
  CaptionPool pool_;
};

}  // namespace roclip
