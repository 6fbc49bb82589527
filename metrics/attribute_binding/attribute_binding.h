/// Attribute binding: whether a model knows which thing has which colour. Of a caption with two colours, the same words
/// with the colours exchanged are the wrong caption (Yuksekgonul et al., ICLR 2023, arXiv 2210.01936, "Attribution").
#pragma once

#include <optional>
#include <string>

#include "roclip/metric.h"

namespace roclip {

/// The caption with its first two colours exchanged, "a red car and a blue boat" -> "a blue car and a red boat";
/// nothing if it has not two different ones. Colours are whole lower-case words.
std::optional<std::string> exchange_colours(const std::string& caption);

class AttributeBinding final : public Metric {
 public:
  using Params = NoParams;
  explicit AttributeBinding(const Params&) {}

  Measures measures() const override { return Measures::kOther; }
  std::string headline() const override { return "right"; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;
};

}  // namespace roclip
