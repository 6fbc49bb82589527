#include "harness/model/weights.h"

#include <array>
#include <optional>
#include <string_view>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

using Tensors = std::map<std::string, torch::Tensor>;

// What a file of ours says of itself.
constexpr const char* kTokens = "roclip_bench_tokens";        // fingerprint of the tokenizer
constexpr const char* kTokenizer = "roclip_bench_tokenizer";  // its state
constexpr const char* kModel = "roclip_bench_model";          // of effective_model()

/// What files of OpenAI's and open_clip's have beside weights.
constexpr std::array kNoWeights = {"input_resolution",
                                   "context_length",
                                   "vocab_size",
                                   "attn_mask",
                                   "text_model.embeddings.position_ids",
                                   "vision_model.embeddings.position_ids"};

/// transformers' names (modeling_clip.py) and what open_clip calls the same. The three projections of an attention,
/// which are one tensor there, follow below.
constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kFromTransformers = {{
    {"vision_model.embeddings.class_embedding", "visual.class_embedding"},
    {"vision_model.embeddings.patch_embedding.", "visual.conv1."},
    {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"},
    {"vision_model.pre_layrnorm.", "visual.ln_pre."},
    {"vision_model.post_layernorm.", "visual.ln_post."},
    {"vision_model.encoder.layers.", "visual.transformer.resblocks."},
    {"text_model.encoder.layers.", "transformer.resblocks."},
    {"text_model.embeddings.token_embedding.", "token_embedding."},
    {"text_model.embeddings.position_embedding.weight", "positional_embedding"},
    {"text_model.final_layer_norm.", "ln_final."},
    {".layer_norm1.", ".ln_1."},
    {".layer_norm2.", ".ln_2."},
    {".mlp.fc1.", ".mlp.c_fc."},
    {".mlp.fc2.", ".mlp.c_proj."},
    {".self_attn.out_proj.", ".attn.out_proj."},
}};

std::string name_in_open_clip(std::string name) {
  for (const auto& [from, to] : kFromTransformers) {
    if (const auto at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
  }
  return name;
}

/// For the weight or bias of a query, key or value: the name of the tensor that holds all three, and its third of it.
std::optional<std::pair<std::string, std::size_t>> third_of_attention(const std::string& name) {
  for (const std::string kind : {"weight", "bias"}) {
    for (std::size_t third = 0; third < 3; ++third) {
      const auto suffix = std::string(".self_attn.") + "qkv"[third] + "_proj." + kind;
      if (!name.ends_with(suffix)) continue;
      return std::pair(name.substr(0, name.size() - suffix.size()) + ".attn.in_proj_" + kind, third);
    }
  }
  return std::nullopt;
}

Tensors from_transformers(const Tensors& theirs) {
  Tensors ours;
  std::map<std::string, std::array<torch::Tensor, 3>> attentions;  // ".in_proj_weight" -> of q, k and v
  for (const auto& [name, tensor] : theirs) {
    const auto key = name_in_open_clip(name);
    if (const auto third = third_of_attention(key)) {
      attentions[third->first][third->second] = tensor;
    } else if (key == "visual_projection.weight") {
      ours.emplace("visual.proj", tensor.t());
    } else if (key == "text_projection.weight") {
      ours.emplace("text_projection", tensor.t());
    } else {
      ours.emplace(key, tensor);
    }
  }
  for (const auto& [name, parts] : attentions) {
    if (parts[0].defined() && parts[1].defined() && parts[2].defined()) {
      ours.emplace(name, torch::cat({parts[0], parts[1], parts[2]}));
    }
  }
  return ours;
}

Tensors by_our_names(Tensors tensors) {
  Tensors result;
  for (auto& [name, tensor] : tensors) {
    auto key = name.starts_with("module.") ? name.substr(7) : name;
    if (std::ranges::find(kNoWeights, key) != kNoWeights.end()) continue;
    if (key.starts_with("text.")) key = key.substr(5);
    result.emplace(std::move(key), std::move(tensor));
  }
  return result.contains("text_model.final_layer_norm.weight") ? from_transformers(result) : result;
}

std::string show_shape(const torch::Tensor& tensor) {
  std::string text;
  for (const auto side : tensor.sizes()) text += (text.empty() ? "" : ", ") + std::to_string(side);
  return "[" + text + "]";
}

}  // namespace

void save_weights(const std::filesystem::path& file, TrainableClip& model, const Json& description, Metadata metadata) {
  metadata.emplace("format", "pt");  // open_clip and transformers ask for it
  metadata.emplace(kModel, description.dump());
  metadata.emplace(kTokens, model.tokenizer().fingerprint());
  metadata.emplace(kTokenizer, model.tokenizer().state().dump());
  write_safetensors(file, model.weights(), metadata);
}

void load_weights(const std::filesystem::path& file, TrainableClip& model) {
  Metadata metadata;
  const auto given = by_our_names(read_safetensors(file, &metadata));
  if (const auto tokens = metadata.find(kTokens);
      tokens != metadata.end() && tokens->second != model.tokenizer().fingerprint()) {
    throw Error(ErrorKind::kData, file.string() + ": was trained with other tokens than this model has; the captions " +
                                      "decide them, so take weights of a study with the same data");
  }
  const auto refuse = [&](const std::string& name, const std::string& what) {
    throw Error(ErrorKind::kData, file.string() + ": \"" + name + "\" " + what +
                                      "; give the weights of this model, or the model of these weights");
  };
  const auto wanted = model.weights();
  for (const auto& [name, tensor] : wanted) {
    const auto found = given.find(name);
    if (found == given.end()) {
      if (name.ends_with(".num_batches_tracked")) continue;  // counts, and changes nothing
      refuse(name, "is missing");
    } else if (found->second.sizes() != tensor.sizes()) {
      refuse(name, "has another shape: expected " + show_shape(tensor) + ", got " + show_shape(found->second));
    } else if (!found->second.to(torch::kDouble).isfinite().all().item<bool>()) {
      refuse(name, "holds numbers that are not finite");
    }
  }
  for (const auto& [name, tensor] : given) {
    if (!wanted.contains(name)) refuse(name, "is no part of the model");
  }
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : wanted) {
    if (const auto found = given.find(name); found != given.end()) tensor.copy_(found->second);
  }
}

DescribedModel load_model(const std::filesystem::path& file, const std::filesystem::path& merges) {
  Metadata metadata;
  read_safetensors(file, &metadata);
  const auto said = [&](const char* key) {
    const auto found = metadata.find(key);
    if (found == metadata.end()) {
      throw Error(ErrorKind::kData, file.string() + ": does not say which model it is of; name it by --model");
    }
    return parse_json(found->second, file.string() + ": " + key, ErrorKind::kData);
  };
  Json description = said(kModel);
  if (!merges.empty()) description["merges"] = merges;
  const auto spec = model_spec(effective_model(description, ".", file.string() + ": " + kModel));
  auto model = make_clip(spec, restore_tokenizer(spec.tokenizer, said(kTokenizer)), /*seed=*/0, torch::kCPU);
  load_weights(file, *model);
  model->train(false);
  return {spec, std::move(model)};
}

void load_start(const Json& config, TrainableClip& model) {
  const auto start = config.find("start_from");
  if (start == config.end()) return;
  const std::string file = start->at("file");
  if (hash_file(file) != start_hash(config)) {
    throw Error(ErrorKind::kData, file + ": has changed since this run was planned; run again");
  }
  load_weights(file, model);
}

std::string start_hash(const Json& config) {
  const auto start = config.find("start_from");
  return start == config.end() ? "" : start->at("hash").get<std::string>();
}

}  // namespace roclip::bench
