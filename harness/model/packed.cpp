#include "harness/model/packed.h"

#include <cmath>

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/model/kernels/attention.h"
#include "harness/record/torch_compat.h"

namespace roclip::bench {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::span<const std::int64_t> view(const torch::Tensor& starts) {
  return {starts.data_ptr<std::int64_t>(), static_cast<std::size_t>(starts.numel())};
}

struct AttentionOnCpu : torch::autograd::Function<AttentionOnCpu> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& qkv, const torch::Tensor& starts,
                               std::int64_t heads, bool causal) {
    const auto width = qkv.size(1) / 3;
    auto weights = torch::empty({attention_weights(view(starts), heads)}, qkv.options());
    auto out = torch::empty({qkv.size(0), width}, qkv.options());
    attention_forward(qkv.data_ptr<float>(), view(starts), heads, width / heads, causal, weights.data_ptr<float>(),
                      out.data_ptr<float>());
    context->save_for_backward({qkv, starts, weights});
    context->saved_data["heads"] = heads;
    return out;
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto &qkv = saved[0], &starts = saved[1], &weights = saved[2];
    const auto heads = context->saved_data["heads"].toInt();
    const auto grad = grads[0].contiguous();
    auto grad_qkv = torch::empty_like(qkv);
    attention_backward(qkv.data_ptr<float>(), weights.data_ptr<float>(), grad.data_ptr<float>(), view(starts), heads,
                       qkv.size(1) / 3 / heads, grad_qkv.data_ptr<float>());
    return {grad_qkv, torch::Tensor(), torch::Tensor(), torch::Tensor()};
  }
};

/// With padding again, for devices that have a fast batched product.
torch::Tensor padded_attention(const torch::Tensor& qkv, const Packing& packing, std::int64_t heads, bool causal) {
  constexpr double kHidden = -1e9;  // not infinite: a row without any token would be no number
  const auto batch = packing.is_token.size(0), length = packing.is_token.size(1), width = qkv.size(1) / 3;
  const auto padded = packing.has_padding()
                          ? qkv
                          : torch::zeros({batch * length, 3 * width}, qkv.options()).index_copy(0, packing.rows, qkv);
  // Rows of padding are dropped below; only a caption's own tokens must not see them.
  auto mask = (~packing.is_token).to(qkv.dtype()).mul_(kHidden).view({batch, 1, 1, length});
  if (causal) mask = torch::full({length, length}, kHidden, qkv.options()).triu(1);
  const auto parts = padded.view({batch, length, 3, heads, width / heads}).permute({2, 0, 3, 1, 4});
  const auto attended = softmax_attention(parts[0], parts[1], parts[2], mask);
  const auto rows = attended.transpose(1, 2).reshape({batch * length, width});
  return packing.has_padding() ? rows : rows.index_select(0, packing.rows);
}

}  // namespace

Packing pack(const torch::Tensor& is_token, bool keep_padding) {
  const auto batch = is_token.size(0), length = is_token.size(1);
  const auto rows = keep_padding ? torch::arange(batch * length, is_token.options().dtype(torch::kLong))
                                 : is_token.flatten().nonzero().squeeze(1);
  Packing packing{is_token, rows, rows.remainder(length), rows.div(length, "floor"), {}};
  if (keep_padding) return packing;
  packing.starts = torch::zeros({batch + 1}, torch::kLong);
  packing.starts.narrow(0, 1, batch).copy_(is_token.sum(1).cumsum(0));
  return packing;
}

Packing pack(const torch::Tensor& is_token) { return pack(is_token, !is_token.is_cpu()); }

torch::Tensor in_few_widths(const torch::Tensor& tokens, std::int64_t longest) {
  constexpr std::int64_t kWidth = 8;
  const auto width = std::min((tokens.size(1) + kWidth - 1) / kWidth * kWidth, longest);
  return torch::constant_pad_nd(tokens, {0, width - tokens.size(1)});
}

torch::Tensor packed_attention(const torch::Tensor& qkv, const Packing& packing, std::int64_t heads, bool causal) {
  return qkv.is_cpu() && qkv.scalar_type() == torch::kFloat && !packing.has_padding()
             ? AttentionOnCpu::apply(qkv.contiguous(), packing.starts, heads, causal)
             : padded_attention(qkv, packing, heads, causal);
}

torch::Tensor packed_last(const torch::Tensor& x, const Packing& packing) {
  if (!packing.has_padding()) return x.index_select(0, packing.starts.slice(0, 1) - 1);
  const auto batch = packing.is_token.size(0), length = packing.is_token.size(1);
  return x.index_select(0, torch::arange(batch, packing.rows.options()) * length + packing.is_token.sum(1) - 1);
}

torch::Tensor packed_mean(const torch::Tensor& x, const Packing& packing) {
  if (packing.has_padding()) {
    const auto is_token = packing.is_token.unsqueeze(2);
    const auto sums = (x.view({is_token.size(0), is_token.size(1), -1}) * is_token).sum(1);
    return sums / is_token.sum(1).clamp_min(1);
  }
  const auto batch = packing.starts.size(0) - 1;
  const auto lengths = (packing.starts.narrow(0, 1, batch) - packing.starts.narrow(0, 0, batch)).clamp_min(1);
  // One product with a [B, T] matrix of shares is faster than adding row by row.
  const auto shares = lengths.to(x.options()).reciprocal().index_select(0, packing.owners);
  const auto matrix = torch::zeros({batch, x.size(0)}, x.options())
                          .index_put_({packing.owners, torch::arange(x.size(0), torch::kLong)}, shares);
  return matrix.matmul(x);
}

}  // namespace roclip::bench
