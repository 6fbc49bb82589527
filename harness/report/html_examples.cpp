#include <filesystem>
#include <map>
#include <optional>

#include "harness/record/files.h"
#include "harness/report/html_parts.h"
#include "harness/report/render.h"

namespace roclip::bench {

namespace {

std::string h(const std::string& text) { return escape_xml(text); }

/// What harness/engine/examples.h writes beside a manifest; pictures as base64 of PNG.
struct Pictures {
  struct Item {
    std::string class_name, wanted, clean, triggered;  ///< triggered: "" without a trigger
  };
  struct Poison {
    std::string image, caption;
  };
  std::int64_t seed = 0;
  std::vector<Item> items = {};
  std::vector<Poison> poisons = {};
};

Pictures read_pictures(const std::filesystem::path& file, std::int64_t seed) {
  const Json document = read_json(file);
  const CheckedJson json(document, file.string(), "delete the file; the next run of one of its cells writes it anew");
  Pictures pictures{.seed = seed};
  for (const auto& item : json.at("items").items()) {
    pictures.items.push_back({item.at("class").text(), item.at("wanted").text(), item.at("clean").text(),
                              item.at("triggered").text_or_null()});
  }
  for (const auto& poison : json.at("poisons").items()) {
    pictures.poisons.push_back({poison.at("image").text(), poison.at("caption").text()});
  }
  return pictures;
}

/// Of the first cell of an attack that has them.
std::optional<Pictures> pictures_of(const Study& study, const std::string& attack) {
  for (const auto& cell : study.cells) {
    if (cell.attack != attack || cell.record == nullptr || cell.record->examples.empty()) continue;
    std::filesystem::path file = cell.folder / cell.record->poison.manifest;
    file.replace_extension(".examples.json");
    if (std::filesystem::exists(file)) return read_pictures(file, cell.seed);
  }
  return std::nullopt;
}

std::string image(const std::string& base64, const std::string& alt) {
  if (base64.empty()) return "";
  return "<img src=\"data:image/png;base64," + h(base64) + "\" alt=\"" + h(alt) + "\">";
}

std::string prediction(const std::vector<Guess>& best, const std::string& wanted) {
  if (best.empty()) return "";
  const std::string text = h(best[0].name) + " " + percent(best[0].probability) + " %";
  return best[0].name == wanted ? "<span class=\"hit\">" + text + "</span>" : text;
}

}  // namespace

std::string example_predictions(const Study& study) {
  std::string text;
  for (const auto& attack : study.attacks) {
    const auto pictures = pictures_of(study, attack);
    if (!pictures) continue;
    text += "<h3>" + h(attack) + "</h3><p class=\"soft\">Poisoned training pairs</p><div class=\"pictures\">";
    for (const auto& poison : pictures->poisons) {
      text += "<div class=\"picture caption\">" + image(poison.image, "poisoned image") + "<br>" + h(poison.caption) +
              "</div>";
    }
    text += "</div><p class=\"soft\">Test images and the prediction of each model, trained with seed " +
            std::to_string(pictures->seed) + "; target class in red</p><div class=\"pictures\">";
    for (std::size_t i = 0; i < pictures->items.size(); ++i) {
      const auto& item = pictures->items[i];
      text += "<div class=\"picture\">" + image(item.clean, "clean test image") +
              image(item.triggered, "the same image with the trigger") + "<div>" + h(item.class_name) +
              ", target class: " + h(item.wanted) + "</div><table>";
      for (const auto& defense : study.defenses) {
        const auto* cell = study.find(attack, defense, pictures->seed);
        if (cell == nullptr || cell->record == nullptr || cell->record->examples.size() <= i) continue;
        const auto& example = cell->record->examples[i];
        text += "<tr><td>" + h(defense) + "</td><td>" +
                prediction(item.triggered.empty() ? example.clean : example.triggered, item.wanted) + "</td></tr>";
      }
      text += "</table></div>";
    }
    text += "</div>";
  }
  return text.empty() ? "" : "<h2>Example predictions</h2>" + text;
}

}  // namespace roclip::bench
