#include <fstream>
#include <limits>
#include <random>
#include <stdexcept>

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include "roclip/defense.h"

/// CLIP training with a weight on the loss that grows by the step, broken in one way: the conformance kit must find
/// exactly that. Each fault has the name of the check that finds it, or begins with it.
class BrokenDefense final : public roclip::Defense {
 public:
  struct Params {
    std::string fault = "none";
    double growth = 0.01;
    void declare(roclip::ParamList& list) {
      list.choice("fault", fault,
                  {"none", "parameters", "trains: pixels", "trains: samples", "trains: no gradient", "trains: nan",
                   "trains: throws", "repeatable", "repeatable: by process", "resumes_to_the_same_bits",
                   "resumes_to_the_same_bits: save changes", "resumes_to_the_same_bits: between epochs",
                   "resumes_to_the_same_bits: second stage", "trains: stages", "no_leak"},
                  "what is wrong", "test");
      list.add("growth", growth, roclip::Range{0, 1}, "1", "of the weight, each step", "test");
    }
  };
  explicit BrokenDefense(Params params) : params_(std::move(params)) {
    if (is("parameters") && params_.growth == 1) throw std::out_of_range("one");
  }

  std::vector<roclip::Stage> stages(const roclip::Stage& training) const override {
    if (is("trains: stages")) return {};
    auto tune = training;
    tune.name = "tune";
    tune.epochs = 2;
    return {training, tune};
  }
  void before_stage(roclip::TrainContext& context) override { stage_ = context.stage.name; }

  torch::Tensor choose_samples(roclip::TrainContext& context) override {
    const auto order = Defense::choose_samples(context);
    if (is("resumes_to_the_same_bits: between epochs") && ended_ > 0) return order.flip(0);
    return is("trains: samples") ? order + 1 : order;
  }
  torch::Tensor augment_images(const torch::Tensor& pixels, roclip::TrainContext&) override {
    return is("trains: pixels") ? pixels * 2 : pixels;
  }
  torch::Tensor loss(const roclip::Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                     roclip::TrainContext& context) override {
    if (is("trains: throws")) throw std::runtime_error("thrown on purpose");
    if (is("repeatable: by process")) {
      static const auto drawn = std::random_device()();
      weight_ += drawn % 1'000'003;
    }
    if (is("repeatable")) weight_ += std::random_device()() % 1000;
    if (is("no_leak")) leaked = new char[1000];
    auto loss = Defense::loss(batch, z_img, z_txt, context) * weight_;
    if (is("resumes_to_the_same_bits: second stage") && stage_ == "tune") loss = loss * 2;
    if (is("trains: no gradient")) loss = loss.detach();
    if (is("trains: nan")) loss = loss * std::numeric_limits<double>::quiet_NaN();
    return loss;
  }
  void after_step(roclip::TrainContext&) override {
    ++seen_;
    weight_ += params_.growth;
  }
  void after_epoch(roclip::TrainContext& context) override { ended_ = context.epoch; }
  void after_stage(roclip::TrainContext&) override {}

  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  bool is(const char* fault) const { return params_.fault == fault; }

  inline static char* volatile leaked = nullptr;

  Params params_;
  mutable double weight_ = 1;
  std::int64_t seen_ = 0, ended_ = 0;
  std::string stage_;
};

void BrokenDefense::save(torch::serialize::OutputArchive& archive) const {
  if (is("resumes_to_the_same_bits: save changes")) weight_ = 5;
  if (!is("resumes_to_the_same_bits")) archive.write("weight", torch::tensor(weight_, torch::kFloat64));
  archive.write("seen", torch::tensor(seen_));
}
void BrokenDefense::load(torch::serialize::InputArchive& archive) {
  torch::Tensor weight, seen;
  if (archive.try_read("weight", weight)) weight_ = weight.item<double>();
  if (archive.try_read("seen", seen)) seen_ = seen.item<std::int64_t>();
}

ROCLIP_DEFENSE(BrokenDefense, "broken_defense/1", "a weight that grows, broken in one way")
