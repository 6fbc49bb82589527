#include "harness/model/spec.h"

#include <algorithm>
#include <cmath>

#include <boost/algorithm/string/join.hpp>

#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

// ---- ours: flat keys

struct SmallModel {
  std::int64_t image_px = 32;
  std::int64_t embedding_dim = 64;
  ConvSpec conv;
  std::int64_t text_width = 64;
  std::int64_t text_layers = 1;
  std::int64_t text_heads = 1;
  std::int64_t text_mlp_ratio = 2;
  std::int64_t context_length = 12;
  std::int64_t vocabulary_min_count = 2;
  double initial_temperature = 0.07;

  void declare(ParamList& list) {
    const char* source = "tuned on emoji, see results/emoji-quick";
    list.add("image_px", image_px, Range{8, 1024}, "px", "side of the square input", source);
    list.add("embedding_dim", embedding_dim, Range{2, 4096}, "1", "D, of the shared space", source);
    list.add("stem_kernel_px", conv.stem_kernel_px, Range{1, 32}, "px", "first convolution", source);
    list.add("stem_stride_px", conv.stem_stride_px, Range{1, 32}, "px", "first convolution; at most the kernel",
             source);
    list.add("stage_widths", conv.stage_widths, Range{4, 4096}, "channels", "one a stage; the last is F", source);
    list.add("stage_blocks", conv.stage_blocks, Range{0, 64}, "blocks", "residual blocks, one number a stage", source);
    list.add("text_width", text_width, Range{4, 4096}, "1", "of the transformer; divisible by text_heads", source);
    list.add("text_layers", text_layers, Range{0, 48}, "layers", "of the transformer", source);
    list.add("text_heads", text_heads, Range{1, 64}, "heads", "of the attention", source);
    list.add("text_mlp_ratio", text_mlp_ratio, Range{1, 8}, "1", "hidden width of the MLP over text_width", source);
    list.add("context_length", context_length, Range{1, 256}, "words", "longer captions are cut", source);
    list.add("vocabulary_min_count", vocabulary_min_count, Range{1, 1000}, "1", "rarer words are unknown", source);
    list.add("initial_temperature", initial_temperature, Range{0.01, 1}, "1", "1 / logit scale at the start",
             "Radford et al. 2021");
  }

  /// @throws Error(kMatrix) for what only a combination forbids
  void check(const std::string& where) const {
    const auto refuse = [&](const std::string& why) { throw Error(ErrorKind::kMatrix, where + why); };
    if (conv.stage_widths.empty() || conv.stage_widths.size() != conv.stage_blocks.size()) {
      refuse("/stage_blocks: expected as many numbers as stage_widths has, at least one");
    }
    if (conv.stem_stride_px > conv.stem_kernel_px) refuse("/stem_stride_px: expected at most stem_kernel_px");
    if (text_width % text_heads != 0) refuse("/text_width: expected a multiple of text_heads");
    if (image_px >> (conv.stage_widths.size() - 1) < conv.stem_stride_px) {
      refuse("/stage_widths: too many stages for images of " + std::to_string(image_px) + " px");
    }
  }

  ModelSpec spec() const {
    return {.image_px = image_px,
            .embedding_dim = embedding_dim,
            .image = conv,
            .text = {.transformer = {text_width, text_layers, text_heads, text_mlp_ratio * text_width},
                     .context_length = context_length},
            .tokenizer = {.min_count = vocabulary_min_count},
            .initial_temperature = initial_temperature};
  }
};

// ---- open_clip's: {"embed_dim", "vision_cfg", "text_cfg"}

const char* const kOpenClip = "open_clip 3.3.0, model.py";

/// Keys of open_clip that this program has no parts for, with the values at which they do nothing.
const Json kWithoutEffect = {
    {"vision_cfg",
     {{"patch_dropout", 0.0},
      {"attentional_pool", false},
      {"no_ln_pre", false},
      {"pos_embed_type", "learnable"},
      {"pool_type", "tok"}}},
    {"text_cfg",
     {{"embed_cls", false}, {"pad_id", 0}, {"pool_type", "argmax"}, {"proj_bias", false}, {"proj_type", "linear"}}},
    {"", {{"custom_text", false}, {"nonscalar_logit_scale", false}}}};
/// Likewise, in either tower.
const Json kWithoutEffectInBoth = {
    {"final_ln_after_pool", false}, {"output_tokens", false}, {"qk_norm", false},
    {"scaled_cosine_attn", false},  {"scale_heads", false},   {"scale_attn", false},
    {"scale_attn_inner", false},    {"scale_fc", false},      {"ls_init_value", nullptr}};

struct VisionConfig {
  std::vector<std::int64_t> layers = {12};
  std::int64_t width = 768;
  std::int64_t head_width = 64;
  double mlp_ratio = 4;
  std::int64_t patch_size = 0;
  std::int64_t image_size = 224;

  void declare(ParamList& list) {
    list.add("layers", layers, Range{1, 200}, "layers", "one number: a vision transformer; four: a ResNet", kOpenClip);
    list.add("width", width, Range{4, 16384}, "1", "of the transformer, or of the ResNet's first stage", kOpenClip);
    list.add("head_width", head_width, Range{1, 1024}, "1", "of a head of the attention", kOpenClip);
    list.add("mlp_ratio", mlp_ratio, Range{0.25, 16}, "1", "hidden width of the MLP over width", kOpenClip);
    list.add("patch_size", patch_size, Range{0, 256}, "px", "of the vision transformer; 0 for a ResNet", kOpenClip);
    list.add("image_size", image_size, Range{8, 1024}, "px", "side of the square input", kOpenClip);
  }
};

struct TextConfig {
  std::int64_t context_length = 77;
  std::int64_t vocab_size = 49408;
  std::int64_t width = 512;
  std::int64_t heads = 8;
  std::int64_t layers = 12;
  double mlp_ratio = 4;
  bool no_causal_mask = false;

  void declare(ParamList& list) {
    list.add("context_length", context_length, Range{3, 1024}, "tokens", "longer captions are cut", kOpenClip);
    list.add("vocab_size", vocab_size, Range{0, 1000000}, "tokens", "0 with the tokenizer \"words\"", kOpenClip);
    list.add("width", width, Range{4, 16384}, "1", "of the transformer; divisible by heads", kOpenClip);
    list.add("heads", heads, Range{1, 256}, "heads", "of the attention", kOpenClip);
    list.add("layers", layers, Range{1, 200}, "layers", "of the transformer", kOpenClip);
    list.add("mlp_ratio", mlp_ratio, Range{0.25, 16}, "1", "hidden width of the MLP over width", kOpenClip);
    list.add("no_causal_mask", no_causal_mask, "whether a token sees those behind it", kOpenClip);
  }
};

struct OpenClipModel {
  std::int64_t embed_dim = 512;
  bool quick_gelu = false;
  double init_logit_scale = std::log(1 / 0.07);
  std::string tokenizer = "openai";
  std::string merges;
  std::int64_t min_count = 2;

  void declare(ParamList& list) {
    list.add("embed_dim", embed_dim, Range{2, 16384}, "1", "D, of the shared space", kOpenClip);
    list.add("quick_gelu", quick_gelu, "as OpenAI's weights need it", kOpenClip);
    list.add("init_logit_scale", init_logit_scale, Range{0, std::log(100.0)}, "1",
             "logarithm of the scale at the start", kOpenClip);
    list.choice("tokenizer", tokenizer, {"openai", "words", "trained"},
                "OpenAI's byte pairs, the words of the captions, or byte pairs of the captions", "ours");
    list.add("merges", merges, "file of OpenAI's merges; \"\" = of the installed open_clip_torch", "ours");
    list.add("vocabulary_min_count", min_count, Range{1, 1000}, "1", "tokenizer words: rarer ones are unknown", "ours");
  }
};

constexpr std::array<double, 3> kOpenAiMean = {0.48145466, 0.4578275, 0.40821073};
constexpr std::array<double, 3> kOpenAiDeviation = {0.26862954, 0.26130258, 0.27577711};

std::array<double, 3> three(const Json& config, const char* key, const std::array<double, 3>& standard,
                            const std::string& where) {
  const auto found = config.find(key);
  if (found == config.end()) return standard;
  const bool ok = found->is_array() && found->size() == 3 && std::ranges::all_of(*found, [&](const Json& value) {
                    return value.is_number() && (std::string(key) == "mean" || value.get<double>() > 0);
                  });
  if (!ok) throw Error(ErrorKind::kMatrix, where + "/" + key + ": expected three numbers, got " + found->dump());
  return found->get<std::array<double, 3>>();
}

/// Without what is null and what has no effect. @throws Error(kMatrix) for what this program has no parts for
Json without_idle_keys(Json config, const std::string& section, const std::string& where) {
  Json idle = kWithoutEffect.at(section);
  if (!section.empty()) idle.update(kWithoutEffectInBoth);
  for (auto entry = config.begin(); entry != config.end();) {
    const auto known = idle.find(entry.key());
    if (!entry->is_null() && known != idle.end() && *entry != *known) {
      throw Error(ErrorKind::kMatrix, where + "/" + entry.key() +
                                          ": this program builds open_clip's models only with " + known->dump() +
                                          " here, got " + entry->dump());
    }
    entry = entry->is_null() || known != idle.end() ? config.erase(entry) : std::next(entry);
  }
  return config;
}

bool is_open_clip(const Json& model) { return model.contains("vision_cfg"); }

/// open_clip's description with all defaults, and ours beside them.
Json effective_open_clip(Json model, const fs::path& folder, const std::string& where) {
  const auto section = [&](const char* key) {
    Json config = model.contains(key) ? model.at(key) : Json::object();
    if (!config.is_object()) throw Error(ErrorKind::kMatrix, where + "/" + key + ": expected an object");
    model.erase(key);
    return without_idle_keys(std::move(config), key, where + "/" + key);
  };
  Json vision = section("vision_cfg"), text = section("text_cfg");
  const Json pixels = model.value("preprocess_cfg", Json::object());
  model.erase("preprocess_cfg");
  model = without_idle_keys(std::move(model), "", where);
  if (vision.contains("layers") && vision["layers"].is_number_integer()) vision["layers"] = {vision["layers"]};

  const auto whole = read_params<OpenClipModel>(model, where);
  const auto image = read_params<VisionConfig>(vision, where + "/vision_cfg");
  if (whole.tokenizer == "words" && !text.contains("vocab_size")) text["vocab_size"] = 0;
  const auto words = read_params<TextConfig>(text, where + "/text_cfg");

  const auto refuse = [&](const std::string& why) { throw Error(ErrorKind::kMatrix, where + why); };
  const auto& layers = image.layers;
  if (layers.size() != 1 && layers.size() != 4) {
    refuse("/vision_cfg/layers: expected one number (a vision transformer) or four (a ResNet), got " +
           std::to_string(layers.size()));
  }
  const bool vit = layers.size() == 1;
  if (vit && image.patch_size == 0) refuse("/vision_cfg/patch_size: expected the side of a patch, got nothing");
  if (!vit && image.patch_size > 0) refuse("/vision_cfg/patch_size: a ResNet has no patches; delete it");
  if (const auto step = vit ? image.patch_size : 32; image.image_size % step != 0) {
    refuse("/vision_cfg/image_size: expected a multiple of " + std::to_string(step) + ", got " +
           std::to_string(image.image_size));
  }
  if (vit ? image.width % image.head_width != 0 : (32 * image.width) % image.head_width != 0 || image.width % 2 != 0) {
    refuse("/vision_cfg/head_width: expected a divisor of the width that the attention has");
  }
  if (words.width % words.heads != 0) refuse("/text_cfg/width: expected a multiple of heads");
  if (whole.tokenizer == "words" && words.vocab_size != 0) {
    refuse("/text_cfg/vocab_size: the captions decide it with the tokenizer \"words\"; delete it");
  }
  if (whole.tokenizer == "openai" && words.vocab_size != 49408) {
    refuse("/text_cfg/vocab_size: OpenAI's tokenizer has 49408 tokens, got " + std::to_string(words.vocab_size) +
           "; set \"tokenizer\": \"trained\" for byte pairs of the captions");
  }
  if (whole.tokenizer == "trained" && words.vocab_size < 600) {
    refuse("/text_cfg/vocab_size: 514 tokens are bytes and ends; expected at least 600, got " +
           std::to_string(words.vocab_size));
  }
  if (!whole.merges.empty() && whole.tokenizer != "openai") {
    refuse("/merges: only the tokenizer \"openai\" reads a file of merges; delete it");
  }

  Json effective = write_params(whole);
  if (!whole.merges.empty()) effective["merges"] = fs::absolute(folder / whole.merges).lexically_normal();
  effective["vision_cfg"] = write_params(image);
  effective["text_cfg"] = write_params(words);
  effective["preprocess_cfg"] = {{"mean", three(pixels, "mean", kOpenAiMean, where + "/preprocess_cfg")},
                                 {"std", three(pixels, "std", kOpenAiDeviation, where + "/preprocess_cfg")}};
  return effective;
}

ModelSpec open_clip_spec(const Json& effective) {
  Json top = effective;
  for (const char* key : {"vision_cfg", "text_cfg", "preprocess_cfg"}) top.erase(key);
  const auto whole = read_params<OpenClipModel>(top, "model");
  const auto image = read_params<VisionConfig>(effective.at("vision_cfg"), "model/vision_cfg");
  const auto text = read_params<TextConfig>(effective.at("text_cfg"), "model/text_cfg");
  const auto& pixels = effective.at("preprocess_cfg");
  const PixelNorm norm{pixels.at("mean"), pixels.at("std")};
  const auto activation = whole.quick_gelu ? Activation::kQuickGelu : Activation::kGelu;
  const auto hidden = [](double ratio, std::int64_t width) {
    return static_cast<std::int64_t>(ratio * static_cast<double>(width));
  };

  ModelSpec spec;
  spec.image_px = image.image_size;
  spec.embedding_dim = whole.embed_dim;
  if (image.layers.size() == 1) {
    spec.image = VitSpec{norm,
                         {image.width, image.layers[0], image.width / image.head_width,
                          hidden(image.mlp_ratio, image.width), activation},
                         image.patch_size};
  } else {
    spec.image = ResNetSpec{norm,
                            {image.layers[0], image.layers[1], image.layers[2], image.layers[3]},
                            image.width,
                            32 * image.width / image.head_width};
  }
  spec.text = {.transformer = {text.width, text.layers, text.heads, hidden(text.mlp_ratio, text.width), activation},
               .context_length = text.context_length,
               .causal = !text.no_causal_mask,
               .pool = TextSpec::Pool::kLast};
  using Kind = TokenizerSpec::Kind;
  spec.tokenizer = {.kind = whole.tokenizer == "openai"  ? Kind::kOpenAi
                            : whole.tokenizer == "words" ? Kind::kWords
                                                         : Kind::kTrained,
                    .min_count = whole.min_count,
                    .vocab_size = text.vocab_size,
                    .merges = whole.merges};
  spec.initial_temperature = std::exp(-whole.init_logit_scale);
  return spec;
}

fs::path presets_dir() { return share_dir() / "models"; }

Json preset(const std::string& name, const std::string& where) {
  const auto presets = model_presets();
  if (std::ranges::find(presets, name) != presets.end()) return read_json(presets_dir() / (name + ".json"));
  throw Error(ErrorKind::kMatrix, where + ": unknown model preset \"" + name + "\"" + did_you_mean(name, presets) +
                                      " (known: " + boost::join(presets, ", ") +
                                      "; a file of open_clip's is named with its \".json\")");
}

}  // namespace

std::vector<std::string> model_presets() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(presets_dir())) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  }
  std::ranges::sort(names);
  return names;
}

Json effective_model(const Json& model, const fs::path& folder, const std::string& where) {
  if (!model.is_string() && !model.is_object()) {
    throw Error(ErrorKind::kMatrix, where + ": expected a preset's name or an object, got " + model.dump());
  }
  Json own = model.is_object() ? model : Json::object();
  if (!is_open_clip(own) || own.contains("preset")) {
    const Json base = model.is_string() ? model : own.value("preset", Json("tiny"));
    own.erase("preset");
    if (!base.is_string()) {
      throw Error(ErrorKind::kMatrix, where + "/preset: expected a preset's name, got " + base.dump());
    }
    const auto name = base.get<std::string>();
    Json whole = name.ends_with(".json") ? read_json(folder / name, ErrorKind::kMatrix) : preset(name, where);
    if (whole.contains("model_cfg")) {  // what open_clip keeps beside the weights that it publishes
      const Json pixels = whole.value("preprocess_cfg", Json::object());
      whole = whole.at("model_cfg");
      for (const char* key : {"mean", "std"}) {
        if (pixels.contains(key)) whole["preprocess_cfg"][key] = pixels.at(key);
      }
    }
    whole.merge_patch(own);
    own = std::move(whole);
  }
  if (is_open_clip(own)) return effective_open_clip(std::move(own), folder, where);
  const auto small = read_params<SmallModel>(own, where);
  small.check(where);
  return write_params(small);
}

ModelSpec model_spec(const Json& effective) {
  return is_open_clip(effective) ? open_clip_spec(effective) : read_params<SmallModel>(effective, "model").spec();
}

std::int64_t image_px_of(const Json& effective) {
  return is_open_clip(effective) ? effective.at("vision_cfg").at("image_size") : effective.at("image_px");
}

Json describe_model() {
  SmallModel model;
  ParamList list;
  model.declare(list);
  return list.describe();
}

}  // namespace roclip::bench
