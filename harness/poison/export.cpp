#include "harness/poison/export.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include <archive.h>
#include <archive_entry.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/image.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/poison/draft_folder.h"
#include "harness/record/escape.h"
#include "harness/record/files.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kPairsPerShard = 1000;

std::string digits(std::int64_t number, int count) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%0*lld", count, static_cast<long long>(number));
  return text.data();
}

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

/// Takes the pairs of the training set one by one.
using Sink = std::function<void(const std::string& key, const std::string& png, const std::string& caption)>;

/// Whether pandas.read_csv, unless told otherwise, gives NaN for it.
bool missing_to_pandas(const std::string& text) {
  static const std::set<std::string> kMissing = {"",     "#N/A",   "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN",
                                                 "-nan", "1.#IND", "1.#QNAN",  "<NA>", "N/A",     "NA",       "NULL",
                                                 "NaN",  "None",   "n/a",      "nan",  "null"};
  return kMissing.contains(text);
}

/// train.csv and images/.
void write_csv(const DraftFolder& draft, const std::function<void(const Sink&)>& pairs, const Progress& progress) {
  const auto images = draft.folder("images");
  CsvFile train(draft.path() / "train.csv", {"caption", "path"});
  std::size_t missing = 0;
  pairs([&](const std::string& key, const std::string& png, const std::string& caption) {
    write_file(images / (key + ".png"), png, Flush::kNo);
    train.add({caption, "images/" + key + ".png"});
    missing += missing_to_pandas(caption);
  });
  train.write();
  if (missing == 0) return;
  progress("captions that pandas.read_csv takes for missing values, such as NA: " + std::to_string(missing) +
               "; RoCLIP, CyCLIP and CleanCLIP read train.csv with it: add keep_default_na=False there",
           0, 0);
}

/// 00000.tar, 00001.tar, ... and sizes.json, from which open_clip learns how many pairs each has.
void write_shards(const DraftFolder& draft, std::int64_t image_px, const std::function<void(const Sink&)>& pairs) {
  std::optional<TarFile> shard;
  Json sizes = Json::object();
  std::int64_t count = 0;
  pairs([&](const std::string& key, const std::string& png, const std::string& caption) {
    const auto name = digits(count / kPairsPerShard, 5) + ".tar";
    if (count++ % kPairsPerShard == 0) {
      if (shard) shard->finish();
      shard.emplace(draft.path() / name);
    }
    shard->add(key + ".png", png);
    shard->add(key + ".txt", caption);
    shard->add(key + ".json", Json{{"key", key}, {"caption", caption}, {"width", image_px}, {"height", image_px}}.dump(
                                  -1, ' ', false, Json::error_handler_t::replace));
    sizes[name] = sizes.value(name, 0) + 1;
  });
  if (shard) shard->finish();
  write_json(draft.path() / "sizes.json", sizes);
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
    const auto file = digits(number, 6) + ".png";
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
        info.add({caption, "targets/" + digits(target.held_out, 6) + ".png", data_set, name(target.adversarial_class)});
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
        info.add(
            {caption.empty() ? prompt : caption, folder + "/" + digits(i, 6) + ".png", set.data.name, name(target)});
      }
      triggered.finish();
    }
  }
  info.write();
}

}  // namespace

void export_poison_set(const PoisonSet& set, const std::string& format, const fs::path& folder,
                       const Progress& progress) {
  if (format != "csv" && format != "webdataset") {
    throw Error(ErrorKind::kUsage, "--format: expected csv or webdataset, got \"" + format + "\"");
  }
  DraftFolder draft(folder);
  const PoisonedPairs pairs(set.data, set.plan, *set.attack, {}, stream(set.seed, kPlaceOfPoisons));
  CsvFile poisons(draft.path() / "poisons.csv", {"key", "edit", "operation", "triggered", "caption_before", "caption"});
  const auto for_each_pair = [&](const Sink& sink) {
    for (std::int64_t i = 0; i < pairs.size(); ++i) {
      const auto key = digits(i, 9);
      sink(key, png_bytes(pairs.image(i)), pairs.caption(i));
      if (pairs.poisoned(i)) {
        const auto& edit = set.plan.edits[pairs.edit(i)];
        const auto before = edit.replaces ? set.data.train->caption(*edit.replaces) : "";
        poisons.add({key, std::to_string(pairs.edit(i)), edit.replaces ? "replace" : "add",
                     edit.trigger ? "true" : "false", before, edit.caption});
      }
      if ((i + 1) % 1000 == 0 || i + 1 == pairs.size()) progress("writing pairs", i + 1, pairs.size());
    }
  };
  if (format == "csv") {
    write_csv(draft, for_each_pair, progress);
  } else {
    write_shards(draft, set.data.train->image_px(), for_each_pair);
  }
  poisons.write();

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

TarFile::TarFile(std::filesystem::path file) : file_(std::move(file)), archive_(archive_write_new()) {
  archive_write_set_format_ustar(archive_);
  check(archive_write_open_filename(archive_, file_.c_str()));
}

TarFile::~TarFile() { archive_write_free(archive_); }

void TarFile::add(const std::string& name, std::string_view content) {
  const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(), &archive_entry_free);
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_mtime(entry.get(), 0, 0);
  check(archive_write_header(archive_, entry.get()));
  check(archive_write_data(archive_, content.data(), content.size()));
}

void TarFile::finish() { check(archive_write_close(archive_)); }

void TarFile::check(long result) const {
  if (result >= ARCHIVE_OK) return;
  throw Error(ErrorKind::kData, file_.string() + ": cannot be written: " + std::strerror(archive_errno(archive_)));
}

}  // namespace roclip::bench
