#include "harness/report/html.h"

#include <cmath>
#include <filesystem>

#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "harness/report/render.h"

namespace roclip::bench {

namespace {

std::string h(const std::string& text) { return escape_xml(text); }

std::string small(const std::string& text) { return "<small>" + text + "</small>"; }

std::string field(const Entry& entry, const Table& table) {
  if (entry.seeds.empty()) {
    return "<td class=\"none\">" + h(entry.status == "ok" ? "-" : entry.status) + small(h(entry.reason.substr(0, 60))) +
           "</td>";
  }
  std::string colour;
  if (table.kind.unit.empty()) {
    colour = format(" style=\"background:rgba(var(--%s),%.2f)\"", table.kind.lower_is_better ? "bad" : "good",
                    0.06 + 0.5 * entry.mean);
  }
  std::string seeds;
  for (const auto& [seed, headline] : entry.seeds) {
    seeds += "seed " + std::to_string(seed) + ": " +
             (headline.count ? std::to_string(headline.count->hits) + "/" + std::to_string(headline.count->trials)
                             : with_unit(headline.value, table.kind)) +
             "\n";
  }
  const auto& c = entry.against_reference;
  const std::string test = c ? format("p %.2g, corrected %.2g", c->p, c->p_holm) : "";
  const auto sample = sample_text(entry);
  return std::string("<td") + (better_than_reference(entry, table) ? " class=\"better\"" : "") + colour + " title=\"" +
         h(seeds) + "\"><b>" + with_unit(entry.mean, table.kind) + "</b>" + small(interval_text(entry, table.kind)) +
         small(sample + (sample.empty() ? "" : ", ") + std::to_string(std::llround(entry.wall_s)) + " s") +
         small(test) + "</td>";
}

std::string grids(const Summary& summary) {
  std::string text;
  for (const auto& table : summary.tables) {
    text += "<h3>" + h(table.metric) + " <span class=\"soft\">" + (table.kind.lower_is_better ? "lower" : "higher") +
            " is better</span></h3><div class=\"scroll\" tabindex=\"0\"><table><tr><th scope=\"col\">attack</th>";
    for (const auto& defense : summary.defenses) text += "<th scope=\"col\">" + h(defense) + "</th>";
    text += "</tr>";
    for (const auto& row : table.rows) {
      text += "<tr><th scope=\"row\">" + h(row.attack) +
              (row.note.empty() ? "" : "<span class=\"note\">" + h(row.note) + "</span>") + "</th>";
      for (const auto& entry : row.entries) text += field(entry, table);
      text += "</tr>";
    }
    text += "</table></div>";
    if (const auto limit = detectable(table, summary.seeds.size()); !limit.empty()) {
      text += "<p class=\"soft\">" + h(limit) + ".</p>";
    }
  }
  return text;
}

std::string provenance(const Study& study) {
  std::string text = "<h2>Provenance</h2>";
  const auto recorded = std::ranges::find_if(
      study.cells, [](const StudyCell& cell) { return cell.record != nullptr && cell.record->ok(); });
  if (recorded != study.cells.end()) {
    text += "<ul class=\"soft\">";
    const Json& environment = recorded->record->environment;
    for (const char* key : {"roclip_bench", "git", "cpu", "gpu", "libtorch", "blas", "compiler", "deterministic"}) {
      if (!environment.contains(key)) continue;
      const Json& value = environment.at(key);
      text +=
          std::string("<li>") + key + ": " + h(value.is_string() ? value.get<std::string>() : value.dump()) + "</li>";
    }
    text += "</ul>";
  }
  text += "<details><summary>" + counted(std::ssize(study.cells), "cell") +
          "; to run one again: <code>roclip-bench run MATRIX --rerun --only ID</code></summary><div "
          "class=\"scroll\" tabindex=\"0\"><table>";
  for (const auto& cell : study.cells) {
    text += "<tr><td>" + h(cell_name(cell.attack, cell.defense, cell.seed)) + "</td><td>" +
            h(std::string(to_string(cell.status)) + (cell.reason.empty() ? "" : ": ") + cell.reason) +
            "</td><td><code>--only " + h(cell.id) + "</code></td></tr>";
  }
  return text + "</table></div></details>";
}

/// Pictures of an attack, as harness/engine/examples.h writes them beside a manifest; "" if there are none.
std::filesystem::path pictures_of(const StudyCell& cell) {
  if (cell.record == nullptr || cell.record->examples.empty()) return "";
  auto file = cell.folder / cell.record->poison.manifest;
  file.replace_extension(".examples.json");
  return std::filesystem::exists(file) ? file : "";
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

/// Poisoned pairs, and what each model of this seed predicts for a few test images.
std::string example_predictions(const Study& study, const std::string& attack, std::int64_t seed,
                                const std::filesystem::path& pictures) {
  const Json document = read_json(pictures);
  const CheckedJson json(document, pictures.string(), "delete it; the next run of one of its cells writes it anew");
  std::string text = "<h3>" + h(attack) + "</h3><p class=\"soft\">Poisoned training pairs</p><div class=\"pictures\">";
  for (const auto& poison : json.at("poisons").items()) {
    text += "<div class=\"picture caption\">" + image(poison.at("image").text(), "poisoned image") + "<br>" +
            h(poison.at("caption").text()) + "</div>";
  }
  text += "</div><p class=\"soft\">Test images and the prediction of each model, trained with seed " +
          std::to_string(seed) + "; target class in red</p><div class=\"pictures\">";
  std::size_t i = 0;
  for (const auto& item : json.at("items").items()) {
    const auto triggered = item.at("triggered").text_or_null(), wanted = item.at("wanted").text();
    text += "<div class=\"picture\">" + image(item.at("clean").text(), "clean test image") +
            image(triggered, "the same image with the trigger") + "<div>" + h(item.at("class").text()) +
            ", target class: " + h(wanted) + "</div><table>";
    for (const auto& defense : study.defenses) {
      const auto* cell = study.find(attack, defense, seed);
      if (cell == nullptr || cell->record == nullptr || cell->record->examples.size() <= i) continue;
      const auto& example = cell->record->examples[i];
      text += "<tr><td>" + h(defense) + "</td><td>" +
              prediction(triggered.empty() ? example.clean : example.triggered, wanted) + "</td></tr>";
    }
    text += "</table></div>";
    ++i;
  }
  return text + "</div>";
}

/// Of each attack, with the pictures of its first cell that has some; "" without any.
std::string example_predictions(const Study& study) {
  std::string text;
  for (const auto& attack : study.attacks) {
    const auto cell = std::ranges::find_if(
        study.cells, [&](const StudyCell& c) { return c.attack == attack && !pictures_of(c).empty(); });
    if (cell != study.cells.end()) text += example_predictions(study, attack, cell->seed, pictures_of(*cell));
  }
  return text.empty() ? "" : "<h2>Example predictions</h2>" + text;
}

}  // namespace

std::string render_html(const Study& study, const Summary& summary) {
  const std::string reference = study.defenses.empty() ? "" : h(study.defenses[0]);
  const std::string problems = summary.problems.empty() && summary.missing == 0
                                   ? ""
                                   : "<p class=\"warning\">" + counted(std::ssize(summary.problems), "cell") +
                                         " did not end with status ok, " + std::to_string(summary.missing) +
                                         " missing; reasons below, under Provenance.</p>";
  return "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width,initial-scale=1\">\n<title>" +
         h(summary.name) + "</title>\n<style>" + read_file(share_dir() / "report.css") + "</style>\n<h1>" +
         h(summary.name) + "</h1>\n<p class=\"soft\">" + counted(std::ssize(study.attacks), "attack") + " against " +
         counted(std::ssize(study.defenses), "defense") + ", " + counted(std::ssize(summary.seeds), "seed") +
         " each, made with roclip-bench.</p>\n" + problems + "<h2>Results</h2>\n<p class=\"soft\">Each field: " +
         (summary.seeds.size() == 1
              ? "value, 95 % Wilson interval, hits/trials, wall time of the cell."
              : "mean over seeds, 95 % t interval of the mean (for counts at least as wide as "
                "binomial counting allows), number of seeds, mean wall time of a cell. Hover over "
                "a field to see each seed.") +
         " p: exact paired test against " + reference +
         "; corrected: after Holm's correction over the table; underlined: "
         "better than " +
         reference + ", corrected p below 0.05." + (summary.correction.empty() ? "" : " " + summary.correction + ".") +
         "</p>\n" + grids(summary) + trade_offs(summary) + curves(study) + sweeps(study, summary) +
         example_predictions(study) + provenance(study) + "</html>\n";
}

}  // namespace roclip::bench
