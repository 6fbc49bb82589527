#include "roclip/caption_pool.h"

#include <algorithm>
#include <cmath>

#include <torch/serialize.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

CaptionPool::CaptionPool(torch::Tensor embeddings, torch::Tensor tokens)
    : embeddings_(std::move(embeddings)), tokens_(std::move(tokens)) {}

CaptionPool CaptionPool::of_random_captions(std::int64_t size, bool with_tokens, TrainContext& context) {
  std::vector<std::string> captions;
  for (const auto index : context.rng.sample(context.pairs.size(), size)) {
    captions.push_back(context.pairs.caption(index));
  }
  const auto device = context.model.device();
  return {embed_captions(context.model, captions).to(device),
          with_tokens ? context.model.tokenize(captions).to(device) : torch::Tensor()};
}

void CaptionPool::to(torch::Device device) {
  if (embeddings_.defined()) embeddings_ = embeddings_.to(device);
  if (tokens_.defined()) tokens_ = tokens_.to(device);
}

torch::Tensor CaptionPool::nearest(const torch::Tensor& z_img) const {
  const std::int64_t panel_rows = z_img.is_cpu() ? 1024 : 1 << 17;  // a GPU takes most pools in one product
  const auto images = z_img.size(0);
  auto best = torch::full({images}, -INFINITY, z_img.options());
  auto row = torch::zeros({images}, z_img.options().dtype(torch::kLong));
  for (std::int64_t begin = 0; begin < size(); begin += panel_rows) {
    const auto panel = embeddings_.narrow(0, begin, std::min(panel_rows, size() - begin));
    const auto scores = z_img.matmul(panel.t()).contiguous();  // [B, panel]
    const auto top = scores.amax(1);
    const auto better = top > best;  // strictly, so that the lowest row wins
    if (!z_img.is_cpu()) {
      row = torch::where(better, scores.argmax(1) + begin, row);
    } else {  // LibTorch finds a maximum several times faster than its place
      const float* line = scores.data_ptr<float>();
      for (std::int64_t i = 0; i < images; ++i, line += scores.size(1)) {
        if (!better.data_ptr<bool>()[i]) continue;
        const auto* place = std::find(line, line + scores.size(1), top.data_ptr<float>()[i]);
        row.data_ptr<std::int64_t>()[i] = begin + std::min<std::int64_t>(place - line, scores.size(1) - 1);
      }
    }
    best = torch::maximum(best, top);
  }
  return row;
}

torch::Tensor CaptionPool::tokens(const torch::Tensor& rows) const {
  const auto chosen = tokens_.index_select(0, rows);
  if (!chosen.is_cpu()) return chosen;  // to know how long the longest is, the host would have to wait
  const auto longest = (chosen != 0).sum(1).max().item<std::int64_t>();
  return chosen.narrow(1, 0, std::max<std::int64_t>(longest, 1));
}

void CaptionPool::enqueue(const torch::Tensor& z_txt, const torch::Tensor& tokens) {
  const auto incoming = z_txt.size(0), taken = std::min(incoming, size());
  if (taken == 0) return;
  const auto rows =
      torch::remainder(torch::arange(cursor_ + incoming - taken, cursor_ + incoming,
                                     torch::TensorOptions().dtype(torch::kLong).device(embeddings_.device())),
                       size());
  embeddings_.index_copy_(0, rows, z_txt.narrow(0, incoming - taken, taken));
  if (tokens_.defined()) {
    const auto width = tokens.size(1);
    if (width > tokens_.size(1)) tokens_ = torch::constant_pad_nd(tokens_, {0, width - tokens_.size(1)}, 0);
    const auto padded =
        torch::constant_pad_nd(tokens.narrow(0, incoming - taken, taken), {0, tokens_.size(1) - width}, 0);
    tokens_.index_copy_(0, rows, padded);
  }
  cursor_ = (cursor_ + incoming) % size();
}

void CaptionPool::save(torch::serialize::OutputArchive& archive) const {
  archive.write("cursor", torch::tensor(cursor_));
  if (size() == 0) return;
  archive.write("embeddings", embeddings_);
  if (tokens_.defined()) archive.write("tokens", tokens_);
}

void CaptionPool::load(torch::serialize::InputArchive& archive) {
  torch::Tensor cursor, embeddings, tokens;
  archive.read("cursor", cursor);
  if (archive.try_read("embeddings", embeddings)) archive.try_read("tokens", tokens);
  *this = CaptionPool(embeddings, tokens);
  cursor_ = cursor.item<std::int64_t>();
}

}  // namespace roclip
