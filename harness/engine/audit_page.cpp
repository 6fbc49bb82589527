#include <nlohmann/json.hpp>

#include <boost/algorithm/string/replace.hpp>

#include "harness/engine/audit.h"
#include "harness/record/escape.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "harness/record/text.h"

namespace roclip::bench {

namespace {

std::string h(const Json& text) { return escape_xml(text.get<std::string>()); }

struct Repeats {
  const char *key, *heading, *what;
};
constexpr Repeats kRepeats[] = {
    {"same_captions", "Captions that occur more than once", "pairs whose caption another pair has too"},
    {"near_captions", "Captions that are nearly the same", "one word more, less or other, or in another order"},
    {"same_images", "Images that occur more than once", "equal in every byte"},
    {"near_images", "Images that are nearly the same", "alike in shape and colours"}};

std::string percent(const Json& share) { return format("%.1f %%", 100 * share.get<double>()); }

std::string picture(const Json& pair, const std::string& below) {
  return "<figure><img src=\"data:image/png;base64," + pair.at("image").get<std::string>() + "\" alt=\"pair " +
         pair.at("pair").dump() + "\"><figcaption>" + h(pair.at("caption")) + below + "</figcaption></figure>\n";
}

std::string groups(const Json& repeats) {
  std::string html;
  for (const Json& group : repeats.at("largest")) {
    html += "<h4>" + group.at("size").dump() + " pairs</h4><div class=\"pictures\">\n";
    for (const Json& pair : group.at("pairs")) html += picture(pair, "");
    html += "</div>\n";
  }
  return html;
}

/// "1st by local_outlier/1"
std::string best_place(const Json& ranks) {
  std::string by;
  std::size_t best = 0;
  for (const auto& [signal, rank] : ranks.items()) {
    if (rank.is_null() || (best != 0 && rank.get<std::size_t>() >= best)) continue;
    best = rank;
    by = signal;
  }
  return "no. " + std::to_string(best) + " by " + by;
}

std::string rows(const Json& audit) {
  std::string html = "<div class=\"pictures\">\n";
  for (const Json& row : audit.at("rows")) {
    const std::string known = row.at("poisoned") == true ? "<b class=\"bad\"> a poison</b>" : "";
    html += picture(row, "<small>pair " + row.at("pair").dump() + ", " + escape_xml(best_place(row.at("ranks"))) +
                             known + "</small>");
  }
  return html + "</div>\n";
}

std::string found(const Json& audit) {
  const Json& found = audit.at("found");
  if (found.is_null()) return "";
  std::string html =
      "<h2>What it finds of the known poisons</h2><p>" + found.at("poisons").dump() +
      " of these pairs are known to be poisons. The audit was not told.</p><table><tr><th>first rows</th>"
      "<th>share of all poisons in them</th></tr>";
  for (const Json& row : found.at("rows")) {
    html += "<tr><td>" + row.at("first").dump() + "</td><td>" + percent(row.at("share")) + "</td></tr>";
  }
  html += "</table><table><tr><th>signal</th><th>AUROC</th><th>share of the poisons in its first " +
          found.at("poisons").dump() + "</th></tr>";
  for (const Json& signal : found.at("signals")) {
    html += "<tr><td>" + h(signal.at("name")) + "</td><td>" + format("%.3f", signal.at("auroc").get<double>()) +
            "</td><td>" + percent(signal.at("share_in_first")) + "</td></tr>";
  }
  return html + "</table>\n";
}

std::string probes(const Json& audit) {
  if (audit.at("probes").empty()) return "<p>The data have no labelled images to probe with.</p>";
  std::string html = "<table><tr><th>probe</th><th>value</th><th></th></tr>";
  for (const auto& [id, values] : audit.at("probes").items()) {
    for (const auto& [name, value] : values.items()) {
      html += "<tr><td>" + escape_xml(id) + "</td><td>" + escape_xml(name) + "</td><td>" +
              format("%.3g", value.get<double>()) + "</td></tr>";
    }
  }
  return html + "</table>";
}

std::string facts(const Json& audit) {
  std::string html = "<table><tr><th></th><th>groups</th><th>pairs in them</th><th>of all</th></tr>";
  const auto all = audit.at("data").at("pairs").get<double>();
  for (const auto& [key, heading, what] : kRepeats) {
    const Json& repeats = audit.at(key);
    html += std::string("<tr><td><a href=\"#") + key + "\">" + heading + "</a></td><td>" + repeats.at("groups").dump() +
            "</td><td>" + repeats.at("pairs").dump() + "</td><td>" + percent(repeats.at("pairs").get<double>() / all) +
            "</td></tr>";
  }
  return html + "</table>\n";
}

}  // namespace

std::string audit_text(const Json& audit) {
  const auto pairs = audit.at("data").at("pairs").get<std::int64_t>();
  std::string text = escape_text(audit.at("data").at("name").get<std::string>()) + ": " + counted(pairs, "pair") + "\n";
  for (const auto& [key, heading, what] : kRepeats) {
    const Json& repeats = audit.at(key);
    text += format("  %-36s %7lld groups, %8lld pairs (%s)\n", heading,
                   static_cast<long long>(repeats.at("groups").get<std::int64_t>()),
                   static_cast<long long>(repeats.at("pairs").get<std::int64_t>()),
                   percent(repeats.at("pairs").get<double>() / static_cast<double>(pairs)).c_str());
  }
  text += "Most suspicious pairs, by each signal in turn:\n";
  std::size_t shown = 0;
  for (const Json& row : audit.at("rows")) {
    if (shown++ == 12) break;
    text += format("  %8lld  %-36s ", static_cast<long long>(row.at("pair").get<std::int64_t>()),
                   best_place(row.at("ranks")).c_str());
    text += escape_text(row.at("caption").get<std::string>()) + (row.at("poisoned") == true ? "   POISON" : "") + "\n";
  }
  for (const auto& [id, values] : audit.at("probes").items()) {
    text += "Backdoor probe " + id + ":";
    for (const auto& [name, value] : values.items()) text += " " + name + " " + format("%.3g", value.get<double>());
    text += "\n";
  }
  for (const Json& left_out : audit.at("left_out")) {
    text += "left out: " + left_out.at("filter").get<std::string>() + ": " +
            escape_text(left_out.at("reason").get<std::string>()) + "\n";
  }
  if (const Json& known = audit.at("found"); !known.is_null()) {
    text += "Of " + known.at("poisons").dump() + " known poisons stand in the first";
    for (const Json& row : known.at("rows"))
      text += " " + row.at("first").dump() + " rows: " + percent(row.at("share")) + ";";
    text.back() = '\n';
    for (const Json& signal : known.at("signals")) {
      text += format("  %-36s AUROC %.3f, %s in its first %s\n", signal.at("name").get<std::string>().c_str(),
                     signal.at("auroc").get<double>(), percent(signal.at("share_in_first")).c_str(),
                     known.at("poisons").dump().c_str());
    }
  }
  return text;
}

std::string audit_page(const Json& audit) {
  std::string html = read_file(share_dir() / "audit.html");
  std::string repeats;
  for (const auto& [key, heading, what] : kRepeats) {
    const Json& of_key = audit.at(key);
    if (of_key.at("groups") == 0) continue;
    repeats += std::string("<h3 id=\"") + key + "\">" + heading + "</h3><p>" + what + ": " +
               of_key.at("groups").dump() + " groups, " + of_key.at("pairs").dump() + " pairs. The largest:</p>" +
               groups(of_key);
  }
  std::string signals;
  for (const Json& signal : audit.at("signals")) {
    signals += "<li><b>" + h(signal.at("name")) + "</b>: " + h(signal.at("what")) + " (" + signal.at("pairs").dump() +
               " pairs score)</li>";
  }
  const std::pair<const char*, std::string> parts[] = {{"name", h(audit.at("data").at("name"))},
                                                       {"pairs", audit.at("data").at("pairs").dump()},
                                                       {"facts", facts(audit)},
                                                       {"signals", signals},
                                                       {"rows", rows(audit)},
                                                       {"found", found(audit)},
                                                       {"probes", probes(audit)},
                                                       {"repeats", repeats}};
  for (const auto& [key, part] : parts) boost::replace_all(html, "<!--" + std::string(key) + "-->", part);
  return html;
}

}  // namespace roclip::bench
