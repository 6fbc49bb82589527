#include "harness/report/html.h"

#include <cmath>
#include <filesystem>

#include "harness/record/files.h"
#include "harness/report/render.h"

namespace roclip::bench {

namespace {

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--page:#fcfcfb;--ink:#1f2328;--soft:#5b636e;--rule:#d9dce1;--card:#fff;--bad:196,43,28;--good:9,105,218;
--s0:#0969da;--s1:#bc4c00;--s2:#1a7f37;--s3:#8250df;--s4:#bf3989;--s5:#9a6700;--s6:#0e7490;--s7:#57606a}
@media(prefers-color-scheme:dark){:root{--page:#0f1216;--ink:#e6e9ee;--soft:#9aa4b2;--rule:#2e353f;--card:#161b22;--bad:248,81,73;
--good:56,139,253;--s0:#58a6ff;--s1:#f0883e;--s2:#3fb950;--s3:#bc8cff;--s4:#f778ba;--s5:#d9a514;--s6:#39c5cf;--s7:#9aa4b2}}
*{box-sizing:border-box}body{margin:0 auto;max-width:72rem;padding:1.5rem 1.25rem 4rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.7rem;margin:.2rem 0}h2{font-size:1.25rem;margin:2.4rem 0 .4rem;border-top:1px solid var(--rule);padding-top:1.2rem}
h3{font-size:1rem;margin:1.4rem 0 .4rem}p,ul{max-width:46rem}.soft{color:var(--soft);font-size:.88rem}
.scroll{overflow-x:auto}table{border-collapse:separate;border-spacing:3px;font-size:.92rem}th{text-align:left;font-weight:600;padding:.3rem .5rem}
td{padding:.45rem .6rem;border-radius:4px;vertical-align:top;min-width:7rem}td b{font-size:1.1rem;font-weight:600}
td small{display:block;color:var(--soft);white-space:nowrap}td.none{color:var(--soft);border:1px dashed var(--rule)}
.better b{text-decoration:underline;text-underline-offset:3px}.note{color:rgb(var(--bad));font-weight:400;font-size:.8rem;display:block;max-width:9rem}
.warning{color:rgb(var(--bad))}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));gap:1rem}
figure{margin:0;max-width:34rem;background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:.7rem .8rem;break-inside:avoid}
figcaption{font-weight:600;font-size:.92rem;margin-bottom:.3rem}svg{width:100%;height:auto;display:block;font:11px system-ui,sans-serif}
.grid{stroke:var(--rule)}.tick{fill:var(--soft)}.axis{fill:var(--ink)}.line{fill:none;stroke-width:2}.dashed.line{stroke-dasharray:5 4}
.bar{stroke-width:1.5;opacity:.55}.legend{font-size:.82rem;display:flex;flex-wrap:wrap;gap:.15rem .9rem}
.key{display:inline-block;width:1rem;border-top:3px solid;margin-right:.35rem;vertical-align:middle}.key.dashed{border-top-style:dashed}
.pictures{display:flex;flex-wrap:wrap;gap:.8rem}.picture{background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:.6rem;width:16rem;font-size:.82rem;break-inside:avoid}
.picture img{width:72px;height:72px;image-rendering:pixelated;border-radius:3px;margin-right:.4rem;vertical-align:top}
.picture table{font-size:.8rem;border-spacing:0 2px;width:100%}.picture td{padding:.05rem .2rem;min-width:0}.hit{color:rgb(var(--bad));font-weight:600}
.caption{width:11rem}details{margin:.4rem 0}summary{cursor:pointer}code{font-size:.82rem;user-select:all;overflow-wrap:anywhere}
@media print{body{max-width:none}details:not([open])>*{display:none}}
)";

/// Style of the colour classes of charts.
std::string colour_classes() {
  std::string css;
  for (int i = 0; i < 8; ++i) {
    css += format(".line.s%d,.bar.s%d{stroke:var(--s%d)}circle.s%d{fill:var(--s%d)}.key.s%d{border-color:var(--s%d)}",
                  i, i, i, i, i, i, i);
  }
  return css;
}

std::string h(const std::string& text) { return escape_xml(text); }

/// What a reader should take home: each attack against the first defense, and against the others.
std::string headlines(const Summary& summary) {
  std::string text;
  for (const auto& table : summary.tables) {
    if (table.kind.measures != Measures::kAttackSuccess) continue;
    for (const auto& row : table.rows) {
      const Entry& reference = row.entries.front();
      if (reference.seeds.empty()) continue;
      text += "<li><b>" + h(row.attack) + "</b>: " + h(title_of(table.metric)) + " " +
              with_unit(reference.mean, table.kind) + " against " + h(reference.defense);
      for (std::size_t i = 1; i < row.entries.size(); ++i) {
        const Entry& entry = row.entries[i];
        if (entry.seeds.empty()) continue;
        text += (i == 1 ? "; " : ", ") + with_unit(entry.mean, table.kind) + " against " + h(entry.defense);
      }
      text += (row.note.empty() ? "" : " (" + row.note + ")") + ".</li>";
    }
  }
  return text.empty() ? "" : "<ul>" + text + "</ul>";
}

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

/// Poisoned pairs, and what each model predicts for a few test images; "" without any.
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
         h(summary.name) + "</title>\n<style>" + kStyle + colour_classes() + "</style>\n<h1>" + h(summary.name) +
         "</h1>\n<p class=\"soft\">" + counted(std::ssize(study.attacks), "attack") + " against " +
         counted(std::ssize(study.defenses), "defense") + ", " + counted(std::ssize(summary.seeds), "seed") +
         " each, made with roclip-bench.</p>\n" + problems + headlines(summary) +
         "<h2>Results</h2>\n<p class=\"soft\">Each field: " +
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
