/// Training steps of a model on random pictures, as a cell takes them: for models too large for a study on a CPU.
/// tests/bench/peers/models holds them against open_clip's. Prints {"ms": [of each step], "pairs_per_s": n,
/// "peak_memory_mib": n}. On a GPU the host does not wait for a step, so there the rate, over all steps but the first
/// few, is what tells.
///
///     model_steps MODEL BATCH STEPS THREADS [TRAINING [DEVICE]]     MODEL, TRAINING: JSON, as in a matrix file
#include <chrono>
#include <iostream>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/poisoned_pairs.h"
#include "harness/model/clip.h"
#include "harness/model/vocabulary.h"
#include "harness/record/environment.h"
#include "harness/record/files.h"
#include "harness/record/guarded.h"
#include "harness/train/trainer.h"
#include "registry.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

using Clock = std::chrono::steady_clock;

Json json_of(const std::string& text, const char* name) { return parse_json(text, name, ErrorKind::kUsage); }

Json measure(const std::vector<std::string>& arguments) {
  const std::int64_t batch = std::stoll(arguments[1]), steps = std::stoll(arguments[2]);
  at::set_num_threads(std::stoi(arguments[3]));
  const auto spec = model_spec(effective_model(json_of(arguments[0], "MODEL"), ".", "MODEL"));
  Json training = arguments.size() > 4 ? json_of(arguments[4], "TRAINING") : Json::object();
  training["batch_size"] = batch;
  training["epochs"] = 1;

  load_gpu_support();
  const torch::Device device(arguments.size() > 5 ? arguments[5] : "cpu");
  const std::int64_t warm_up = device.is_cpu() ? 1 : 10;  // kernels are chosen and memory is taken

  Dataset data;
  const auto pairs_count = batch * (steps + warm_up);
  const std::vector<std::string> captions(static_cast<std::size_t>(pairs_count), "a photo of a cat on a red sofa");
  constexpr std::int64_t kDifferent = 4;  // batches: to draw all pixels takes longer than to train on them
  const auto pixels = torch::randint(0, 256, {kDifferent * batch, 3, spec.image_px, spec.image_px}, torch::kByte);
  data.train = tensor_pairs(
      pixels.repeat({pairs_count / (kDifferent * batch) + 1, 1, 1, 1}).narrow(0, 0, pairs_count).contiguous(),
      captions);
  const auto words = std::make_shared<const Vocabulary>(*data.train, spec.tokenizer.min_count);
  const auto model = make_clip(spec, make_tokenizer(spec.tokenizer, words, *data.train), 1, device);
  const Registry registry(plugin_search_path({}));
  const auto attack = registry.make_attack("none", Json::object());
  const auto defense = registry.make_defense("clip", Json::object());
  const PoisonedPairs pairs(data, {}, *attack, {}, 1);
  const std::vector<std::int64_t> no_clean_subset;
  const std::vector<bool> not_told;
  Trainer trainer(*model, *defense, read_params<TrainingParams>(training, "TRAINING"),
                  {.pairs = pairs,
                   .clean_subset = no_clean_subset,
                   .poisoned = not_told,
                   .vocabulary = words->known_words(),
                   .seed = 1});
  std::vector<double> ms;
  auto last = Clock::now(), warm = last;
  TrainHooks hooks;
  hooks.after_step = [&](std::int64_t step) {
    if (!device.is_cpu() && (step == warm_up || step == warm_up + steps)) torch::cuda::synchronize();
    const auto now = Clock::now();
    if (step > warm_up) ms.push_back(std::chrono::duration<double, std::milli>(now - last).count());
    if (step == warm_up) warm = now;
    last = now;
  };
  trainer.run(hooks);
  const double wall_s = std::chrono::duration<double>(last - warm).count();
  return {{"ms", ms},
          {"pairs_per_s", static_cast<double>(batch * steps) / wall_s},
          {"phase_s", trainer.phase_s()},
          {"peak_memory_mib", peak_memory_mib()}};
}

}  // namespace

}  // namespace roclip::bench

int main(int argc, char** argv) {
  using namespace roclip::bench;
  return guarded([&] {
    if (argc < 5) throw roclip::Error(roclip::ErrorKind::kUsage, "model_steps MODEL BATCH STEPS THREADS [TRAINING]");
    std::cout << measure({argv + 1, argv + argc}).dump() << "\n";
    return 0;
  });
}
