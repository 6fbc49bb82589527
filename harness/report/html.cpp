#include "harness/report/html.h"

#include <filesystem>
#include <map>

#include <boost/algorithm/string/join.hpp>
#include <boost/algorithm/string/replace.hpp>

#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "harness/report/render.h"

namespace roclip::bench {

namespace {

constexpr std::size_t kFewAttacks = 3;  ///< with more, details are shown where they are asked for

std::string h(const std::string& text) { return escape_xml(text); }

std::string small(const std::string& text) { return "<small>" + text + "</small>"; }

/// The metric does not apply: there is nothing to tell.
bool is_nothing(const Entry& entry) { return entry.seeds.empty() && entry.status == "ok"; }

std::string field(const Entry& entry, const Table& table) {
  if (is_nothing(entry)) return "<td class=\"none\" title=\"" + h(entry.reason) + "\">-</td>";
  const std::string link = "<a href=\"#" + h(entry.first_cell) + "\">";
  if (entry.seeds.empty()) {
    return "<td class=\"none\" title=\"" + h(entry.reason) + "\">" + link + h(entry.status) + "</a></td>";
  }
  const std::string colour = format(" style=\"background:rgba(var(--%s),%.2f)\"",
                                    table.kind.lower_is_better ? "bad" : "good", 0.03 + 0.57 * entry.mean);
  const auto& c = entry.against_reference;
  const std::string test = c ? format("p %.2g, corrected %.2g", c->p, c->p_holm) : "";
  const auto number = table.kind.unit.empty() ? percent(entry.mean) : with_unit(entry.mean, {.unit = "1"});
  return std::string("<td") + (better_than_reference(entry, table) ? " class=\"better\"" : "") +
         (table.kind.unit.empty() ? colour : "") + ">" + link + number + "</a>" +
         small(interval_text(entry, table.kind)) + small(sample_text(entry)) + small(test) + "</td>";
}

/// How a defense stands and what it costs, a field a number. @param reference_s training of the first defense; 0 = the
/// times are not shown
std::string fields(const Standing& s, double reference_s) {
  if (s.rank == 0) return std::string("<td></td><td></td><td></td>") + (reference_s > 0 ? "<td></td><td></td>" : "");
  const auto [low, high] = s.rank_interval.value_or(Interval{s.rank, s.rank});
  const auto cost =
      s.train_s > 0 ? format("<td>%.1f</td><td>%.2f</td>", s.train_s, s.train_s / reference_s) : "<td></td><td></td>";
  return format("<td>%.1f <span class=\"soft\">%.1f to %.1f</span></td><td>", s.rank, low, high) + percent(s.success) +
         "</td><td>" + (s.utility > 0 ? percent(s.utility) : "") + "</td>" + (reference_s > 0 ? cost : "");
}

/// ", %": what stands behind the name of a metric
std::string unit_of(const MetricKind& kind) {
  return kind.unit.empty() ? ", %" : kind.unit == "1" ? "" : ", " + kind.unit;
}

std::string column_head(const std::string& name) { return "<th scope=\"col\">" + name + "</th>"; }

/// A row a defense, the best rank first, and a column an attack; without those of which there is nothing to tell.
/// @param leads how the defenses stand is before it
std::string grid(const Summary& summary, const Table& table, bool leads) {
  std::vector<const Row*> columns;
  for (const auto& row : table.rows) {
    if (!std::ranges::all_of(row.entries, is_nothing)) columns.push_back(&row);
  }
  const auto reference = std::ranges::find(summary.standings, 0U, &Standing::column);
  const double reference_s = reference == summary.standings.end() ? 0 : reference->train_s;
  const std::string name = h(title_of(table.metric));
  std::string text = "<h3>" + name + h(unit_of(table.kind)) + " <span class=\"soft\">" + h(table.metric) + ", " +
                     (table.kind.lower_is_better ? "lower" : "higher") +
                     " is better</span></h3><a class=\"skip\" href=\"#after-" + h(table.metric) +
                     "\">Skip this table</a><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" + name +
                     "\"><table class=\"grid" + (leads ? " leading" : "") + "\"><thead><tr>" + column_head("defense");
  if (leads) text += column_head("rank") + column_head("mean<br>success") + column_head("clean<br>accuracy");
  if (leads && reference_s > 0) text += column_head("training,<br>s") + column_head("ratio");
  for (const auto* row : columns) {
    text += "<th scope=\"col\" class=\"turned\"><div>" + h(row->attack) + "<span class=\"note\">" + h(row->note) +
            "</span></div></th>";
  }
  text += "</tr></thead><tbody>";
  for (const auto& standing : summary.standings) {
    const auto told = [&](const Row* row) { return !is_nothing(row->entries[standing.column]); };
    if (!leads && std::ranges::none_of(columns, told)) continue;
    text += "\n<tr class=\"" + h(standing.capability + " " + standing.acts) + "\"><th scope=\"row\">" +
            boost::replace_all_copy(h(standing.defense), "_", "_<wbr>") + "</th>" +
            (leads ? fields(standing, reference_s) : "");
    for (const auto* row : columns) text += field(row->entries[standing.column], table);
    text += "</tr>";
  }
  text += "</tbody></table></div><span id=\"after-" + h(table.metric) + "\"></span>";
  if (const auto power = detectable(table, summary.seeds.size()); !power.empty()) {
    text += std::string("<p class=\"soft") + (leads ? "" : " power") + "\">" + h(power) + ".</p>";
  }
  return text + (table.models.empty() ? "" : "<p class=\"soft\">" + h(table.models) + ".</p>");
}

/// What came out, in a sentence; "" if the defenses do not stand.
std::string answer(const Summary& summary) {
  const auto reference = std::ranges::find(summary.standings, 0U, &Standing::column);
  const auto best = std::ranges::find_if(summary.standings, [](const Standing& s) {
    return s.rank > 0 && s.column != 0 && s.capability != "knows_poisons";
  });
  if (best == summary.standings.end() || reference == summary.standings.end() || reference->rank == 0) return "";
  const auto told = [](const Standing& s) {
    const auto clean = s.utility > 0 ? " at " + percent(s.utility) + " % clean accuracy" : "";
    return "<b>" + h(s.defense) + "</b> " + percent(s.success) + " %" + clean;
  };
  return "<p>Mean attack success: " + told(*reference) + "; of the defenses, the best rank has " + told(*best) +
         ".</p>";
}

/// What a reader has to know before the numbers; "" if every cell ended ok.
std::string warning(const Summary& summary) {
  std::vector<std::string> parts;
  if (!summary.problems.empty()) {
    parts.push_back(counted(std::ssize(summary.problems), "cell") + " did not end with status ok");
  }
  if (summary.missing > 0) parts.push_back(counted(static_cast<std::int64_t>(summary.missing), "cell") + " not run");
  return parts.empty() ? "" : "<p class=\"warning\">" + boost::algorithm::join(parts, ", ") + ": see Cells.</p>";
}

/// Every cell, and how to run it again.
std::string cells(const Study& study) {
  std::string rows;
  for (const auto& cell : study.cells) {
    const std::string status(to_string(cell.status)), name = cell_name(cell.attack, cell.defense, cell.seed);
    const bool stored = cell.record != nullptr;
    const auto told = stored ? cell_line(*cell.record) : status + " " + name + " " + cell.reason;
    const auto again = stored ? "replay " + (cell.folder / cell.file).string() : "run MATRIX --rerun --only " + cell.id;
    rows += "<tr class=\"" + status + "\" id=\"" + h(cell.id) + "\"><td>" + h(told) + "<br><code>roclip-bench " +
            h(again) + "</code></td></tr>\n";
  }
  return rows;
}

/// Of the first defense.
std::string provenance(const Study& study) {
  const auto* record = study.defenses.empty() ? nullptr : study.record_of(&CellEntry::defense, study.defenses[0]);
  std::string text;
  for (const char* key : {"roclip_bench", "git", "cpu", "gpu", "libtorch", "blas", "compiler", "deterministic"}) {
    if (record == nullptr || !record->environment.contains(key)) continue;
    const Json& value = record->environment.at(key);
    text += std::string("<li>") + key + ": " + h(value.is_string() ? value.get<std::string>() : value.dump()) + "</li>";
  }
  return text;
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

/// Poisoned pairs of a cell's attack, and what each model of its seed predicts for a few test images; "" without
/// pictures, as harness/engine/examples.h writes them beside a manifest.
std::string example_predictions(const Study& study, const StudyCell& of) {
  if (of.record == nullptr || of.record->examples.empty()) return "";
  auto pictures = of.folder / of.record->poison.manifest;
  pictures.replace_extension(".examples.json");
  if (!std::filesystem::exists(pictures)) return "";
  const Json document = read_json(pictures);
  const CheckedJson json(document, pictures.string(), "delete it; the next run of one of its cells writes it anew");
  std::string text = "<p class=\"soft\">Poisoned training pairs</p><div class=\"pictures\">";
  for (const auto& poison : json.at("poisons").items()) {
    text += "<div class=\"picture caption\">" + image(poison.at("image").text(), "poisoned image") + "<br>" +
            h(poison.at("caption").text()) + "</div>";
  }
  text += "</div><p class=\"soft\">Test images and the prediction of each model, trained with seed " +
          std::to_string(of.seed) + "; target class in red</p><div class=\"pictures\">";
  std::size_t i = 0;
  for (const auto& item : json.at("items").items()) {
    const auto triggered = item.at("triggered").text_or_null(), wanted = item.at("wanted").text();
    text += "<div class=\"picture\">" + image(item.at("clean").text(), item.at("class").text()) +
            image(triggered, "the same image with the trigger") + "<div>" + h(item.at("class").text()) +
            ", target class: " + h(wanted) + "</div><table>";
    for (const auto& defense : study.defenses) {
      const auto* cell = study.find(of.attack, defense, of.seed);
      if (cell == nullptr || cell->record == nullptr || cell->record->examples.size() <= i) continue;
      const auto& example = cell->record->examples[i];
      text += "<tr><td>" + h(defense) + "</td><td>" +
              prediction(triggered.empty() ? example.clean : example.triggered, wanted) + "</td></tr>";
    }
    text += "</table></div>";
    ++i;
  }
  return foldable(of.attack, text + "</div>", study.attacks.size());
}

}  // namespace

std::string foldable(const std::string& heading, const std::string& content, std::size_t attacks) {
  return std::string("<details") + (attacks <= kFewAttacks ? " open" : "") + "><summary><h3>" + h(heading) +
         "</h3></summary>" + content + "</details>";
}

std::string render_html(const Study& study, const Summary& summary) {
  std::map<std::string, std::string> parts = {
      {"name", h(summary.name)},
      {"style", read_file(share_dir() / "report.css")},
      {"size", counted(std::ssize(study.attacks), "attack") + " against " +
                   counted(std::ssize(study.defenses), "defense") + ", " + counted(std::ssize(summary.seeds), "seed") +
                   " each"},
      {"details", study.attacks.size() * study.defenses.size() <= 4 * kFewAttacks ? "checked" : ""},
      {"compared", counted(std::ssize(summary.compared), "attack")},
      {"reference", study.defenses.empty() ? "" : h(study.defenses[0])},
      {"correction", summary.correction.empty() ? "" : summary.correction + "."},
      {"warning", warning(summary)},
      {"answer", answer(summary)},
      {"trade_offs", trade_offs(summary)},
      {"detection", detection(study, summary)},
      {"curves", curves(study)},
      {"sweeps", sweeps(study, summary)},
      {"scaling", scaling(study, summary)},
      {"cells", cells(study)},
      {"provenance", provenance(study)}};
  for (const auto& table : summary.tables) {
    const bool leads = &table == summary.first_table(Measures::kAttackSuccess);
    parts[leads ? "leading" : "others"] += grid(summary, table, leads);
  }
  std::map<std::string, std::string> examples;  // of each attack, with the pictures of its first cell that has some
  for (const auto& cell : study.cells) {
    if (auto& text = examples[cell.attack]; text.empty()) parts["examples"] += text = example_predictions(study, cell);
  }
  std::string page = read_file(share_dir() / "report.html");  // parts have no mark of it: what came from data has no <
  for (const auto& [name, part] : parts) boost::replace_all(page, "<!--" + name + "-->", part);
  return page;
}

}  // namespace roclip::bench
