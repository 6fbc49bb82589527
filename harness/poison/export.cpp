#include "harness/poison/export.h"

#include <algorithm>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/image.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/poison/draft_folder.h"
#include "harness/record/escape.h"
#include "harness/record/files.h"
#include "harness/record/text.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// "000017.png"
std::string image_name(std::int64_t number) { return format("%06lld.png", static_cast<long long>(number)); }

class CsvFile {
 public:
  CsvFile(fs::path file, const std::vector<std::string>& header) : file_(std::move(file)) { add(header); }

  void add(const std::vector<std::string>& fields) {
    for (std::size_t i = 0; i < fields.size(); ++i) text_ += (i == 0 ? "" : ",") + csv_field(fields[i]);
    text_ += '\n';
  }
  void write() const { write_file(file_, text_); }

 private:
  fs::path file_;
  std::string text_;
};

/// Whether pandas.read_csv, unless told otherwise, gives NaN for it.
bool missing_to_pandas(const std::string& text) {
  static const std::set<std::string> kMissing = {"",     "#N/A",   "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN",
                                                 "-nan", "1.#IND", "1.#QNAN",  "<NA>", "N/A",     "NA",       "NULL",
                                                 "NaN",  "None",   "n/a",      "nan",  "null"};
  return kMissing.contains(text);
}

/// train.csv, images/ and poisons.csv.
void write_training_pairs(const DraftFolder& draft, const PoisonSet& set, const Progress& progress) {
  const PoisonedPairs pairs(set.data, set.plan, *set.attack, {}, stream(set.seed, kPlaceOfPoisons));
  const auto images = draft.folder("images");
  CsvFile train(draft.path() / "train.csv", {"caption", "path"});
  CsvFile poisons(draft.path() / "poisons.csv", {"key", "edit", "operation", "triggered", "caption_before", "caption"});
  std::size_t missing = 0;
  for (std::int64_t i = 0; i < pairs.size(); ++i) {
    const auto key = format("%09lld", static_cast<long long>(i));
    const auto caption = pairs.caption(i);
    write_file(images / (key + ".png"), png_bytes(pairs.image(i)), Flush::kNo);
    train.add({caption, "images/" + key + ".png"});
    missing += missing_to_pandas(caption);
    if (pairs.poisoned(i)) {
      const auto& edit = set.plan.edits[pairs.edit(i)];
      const auto before = edit.replaces ? set.data.train->caption(*edit.replaces) : "";
      poisons.add({key, std::to_string(pairs.edit(i)), edit.replaces ? "replace" : "add",
                   edit.trigger ? "true" : "false", before, edit.caption});
    }
    if ((i + 1) % 1000 == 0 || i + 1 == pairs.size()) progress("writing pairs", i + 1, pairs.size());
  }
  train.write();
  poisons.write();
  if (missing == 0) return;
  progress("captions that pandas.read_csv reads as missing values, such as NA: " + std::to_string(missing) +
               "; RoCLIP, CyCLIP and CleanCLIP read train.csv with it: add keep_default_na=False there",
           0, 0);
}

/// The classes and prompts as the Python expression that the evaluation of CyCLIP and its kin evaluates. JSON strings
/// are Python strings.
std::string classes_py(const std::vector<ClassInfo>& classes) {
  Json prompts = Json::object(), names = Json::array();
  std::size_t most = 0;
  for (const auto& info : classes) {
    names.push_back(info.name);
    prompts[info.name] = info.prompts;
    most = std::max(most, info.prompts.size());
  }
  return "(lambda prompts: {\n  \"classes\": " + names.dump() +
         ",\n  \"templates\": [lambda c, i=i: prompts[c][i % len(prompts[c])] for i in range(" + std::to_string(most) +
         ")],\n})(" + prompts.dump() + ")\n";
}

/// A folder of images with labels.csv and classes.py, as CyCLIP's evaluation reads it. RoCLIP calls the column of the
/// images "path", CyCLIP and CleanCLIP call it "image": the file has both.
class LabelledFolder {
 public:
  LabelledFolder(const DraftFolder& draft, const std::string& name, const std::vector<ClassInfo>& classes)
      : folder_(draft.folder(name)),
        labels_(folder_ / "labels.csv", {"image", "path", "label", "class"}),
        classes_(classes) {}

  void add(const torch::Tensor& image, std::int64_t number, std::int64_t label) {
    const auto file = image_name(number);
    write_file(folder_ / file, png_bytes(image), Flush::kNo);
    labels_.add({file, file, std::to_string(label), classes_[static_cast<std::size_t>(label)].name});
  }
  void finish() {
    labels_.write();
    write_file(folder_ / "classes.py", classes_py(classes_));
  }

 private:
  fs::path folder_;
  CsvFile labels_;
  const std::vector<ClassInfo>& classes_;
};

/// What the attack is measured on, each image under the label that the attacker wants: top-1 accuracy there is its
/// success. And info.csv, the same for RoCLIP's evaluation.
void write_attacked(const DraftFolder& draft, const PoisonSet& set) {
  const auto& held_out = set.data.held_out;
  const auto name = [&](std::int64_t label) { return set.data.classes[static_cast<std::size_t>(label)].name; };
  CsvFile info(draft.path() / "info.csv", {"caption", "path", "dataset", "target"});
  if (const auto* goal = std::get_if<TargetImagesGoal>(&set.plan.goal)) {
    LabelledFolder targets(draft, "targets", set.data.classes);
    for (const auto& target : goal->targets) {
      targets.add(held_out.pairs->image(target.held_out), target.held_out, target.adversarial_class);
      std::vector<std::string> captions;
      for (const auto& edit : set.plan.edits) {
        if (edit.image == ImageRef{ImageRef::Set::kHeldOut, target.held_out}) captions.push_back(edit.caption);
      }
      const auto data_set = set.data.name + std::to_string(captions.size());
      for (const auto& caption : captions) {
        info.add({caption, "targets/" + image_name(target.held_out), data_set, name(target.adversarial_class)});
      }
    }
    targets.finish();
  }
  if (const auto* goal = std::get_if<TriggeredImagesGoal>(&set.plan.goal)) {
    for (std::int64_t trigger = 0; trigger < std::ssize(goal->target_class); ++trigger) {
      const auto target = goal->target_class[static_cast<std::size_t>(trigger)];
      const auto folder = trigger == 0 ? "triggered" : "triggered-" + std::to_string(trigger);
      LabelledFolder triggered(draft, folder, set.data.classes);
      for (std::int64_t i = 0; i < held_out.size(); ++i) {
        const auto label = held_out.label(i);
        if (label == target) continue;
        triggered.add(set.triggered(i, trigger), i, target);
        const auto caption = held_out.pairs->caption(i);
        const auto& prompt = set.data.classes[static_cast<std::size_t>(label)].prompts.front();
        info.add({caption.empty() ? prompt : caption, folder + "/" + image_name(i), set.data.name, name(target)});
      }
      triggered.finish();
    }
  }
  info.write();
}

}  // namespace

void export_poison_set(const PoisonSet& set, const fs::path& folder, const Progress& progress) {
  DraftFolder draft(folder);
  write_training_pairs(draft, set, progress);
  const auto& test = set.data.held_out;
  const auto* targeted = std::get_if<TargetImagesGoal>(&set.plan.goal);
  LabelledFolder held_out(draft, "held_out", set.data.classes);
  for (std::int64_t i = 0; i < test.size(); ++i) {
    const bool target = targeted != nullptr &&
                        std::ranges::find(targeted->targets, i, &TargetImage::held_out) != targeted->targets.end();
    if (!target) held_out.add(test.pairs->image(i), i, test.label(i));
  }
  held_out.finish();
  write_attacked(draft, set);
  draft.commit();
}

}  // namespace roclip::bench
