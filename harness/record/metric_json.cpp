#include <algorithm>
#include <cctype>
#include <cmath>

#include "harness/record/cell_record.h"
#include "harness/record/record_json.h"

namespace roclip::bench {

namespace {

const std::vector<std::string> kMeasures(kMeasureNames.begin(), kMeasureNames.end());
const std::vector<std::string> kDirections = {"higher", "lower"};

// Counts

/// Without name, items and outcomes.
Json share_json(const CountRecord& count) {
  Json json = {{"hits", count.hits}, {"trials", count.trials}, {"value", nullptr}, {"low", nullptr}, {"high", nullptr}};
  if (count.trials > 0) {
    const auto [low, high] = wilson(count.counted());
    json["value"] = count.counted().share();
    json["low"] = low;
    json["high"] = high;
  }
  return json;
}

CountRecord read_share(const CheckedJson& json, const std::string& name) {
  CountRecord count{.name = name, .hits = json.at("hits").integer(0), .trials = json.at("trials").integer(0)};
  if (count.hits > count.trials) {
    json.at("hits").refuse("at most as many as trials, " + std::to_string(count.trials));
  }
  const Json truth = share_json(count);
  for (const char* key : {"value", "low", "high"}) {
    const auto stored = json.at(key);
    const bool known = !truth.at(key).is_null();
    const bool equal = known ? std::abs(stored.number() - truth.at(key).get<double>()) < 1e-6 : stored.is_null();
    if (!equal) stored.refuse(truth.at(key).dump() + ", which follows from hits and trials");
  }
  return count;
}

CountRecord read_count(const CheckedJson& json) {
  CountRecord count = read_share(json, json.at("name").text());
  count.items = json.at("items").integers();
  count.outcomes = json.at("outcomes").text();
  if (std::ssize(count.items) != count.trials) {
    json.at("items").fail("expected as many as trials, " + std::to_string(count.trials) + ", got " +
                          std::to_string(count.items.size()));
  }
  if (std::ssize(count.outcomes) != count.trials || count.outcomes.find_first_not_of("01") != std::string::npos) {
    json.at("outcomes")
        .fail("expected one digit, 0 or 1, for each of " + std::to_string(count.trials) + " trials, got " +
              std::to_string(count.outcomes.size()) + " characters");
  }
  if (const auto ones = std::ranges::count(count.outcomes, '1'); ones != count.hits) {
    json.at("hits").refuse(std::to_string(ones) + ", the number of 1s among the outcomes");
  }
  return count;
}

// Values

/// Without name.
Json amount_json(const ValueRecord& value) { return {{"value", value.value}, {"unit", value.unit}}; }

ValueRecord read_amount(const CheckedJson& json, const std::string& name) {
  ValueRecord value{.name = name, .value = json.at("value").number(), .unit = json.at("unit").text()};
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '/' || c == '%'; };
  if (value.unit.empty() || value.unit.size() > 16 || !std::ranges::all_of(value.unit, plain)) {
    json.at("unit").refuse("a unit of letters and digits, such as nats; 1 = none");
  }
  return value;
}

ValueRecord read_value(const CheckedJson& json) { return read_amount(json, json.at("name").text()); }

// Metrics

/// All of a metric but its counts and values.
Json metric_head(const MetricRecord& metric) {
  return {{"measures", kMeasures[static_cast<std::size_t>(metric.measures)]},
          {"better", kDirections[metric.lower_is_better]},
          {"headline", null_if_empty(metric.headline)},
          {"not_applicable", null_if_empty(metric.not_applicable)}};
}

void read_metric_head(MetricRecord& metric, const CheckedJson& json) {
  metric.lower_is_better = json.at("better").one_of(kDirections) == 1;
  // Results from before it was stored had one metric whose lower values are better, and it counted the attack's
  // successes.
  metric.measures = metric.lower_is_better ? Measures::kAttackSuccess : Measures::kCleanAccuracy;
  if (json.has("measures")) metric.measures = static_cast<Measures>(json.at("measures").one_of(kMeasures));
  metric.not_applicable = json.at("not_applicable").text_or_null();
  if (json.has("headline")) {
    metric.headline = json.at("headline").text_or_null();
  } else if (!metric.counts.empty()) {
    metric.headline = metric.counts.front().name;  // results from before it was stored
  }
  const bool empty = metric.counts.empty() && metric.values.empty();
  if (!empty && !metric.headline.empty() && metric.headline_count() == nullptr && metric.headline_value() == nullptr) {
    json.at("headline").refuse("the name of one of the counts or values");
  }
}

template <class Record>
const Record* named(const std::vector<Record>& list, const std::string& name) {
  const auto found = std::ranges::find(list, name, &Record::name);
  return found == list.end() ? nullptr : &*found;
}

}  // namespace

// Found by the library for lists of them.

static void to_json(Json& json, const CountRecord& count) {
  json = share_json(count);
  json["name"] = count.name;
  json["items"] = count.items;
  json["outcomes"] = count.outcomes;
}

static void to_json(Json& json, const ValueRecord& value) {
  json = amount_json(value);
  json["name"] = value.name;
}

const CountRecord* MetricRecord::headline_count() const { return named(counts, headline); }
const ValueRecord* MetricRecord::headline_value() const { return named(values, headline); }

std::optional<Headline> MetricRecord::quoted() const {
  if (const auto* count = headline_count(); count != nullptr && count->trials > 0) {
    return Headline{count->counted().share(), count->counted(), wilson(count->counted())};
  }
  if (const auto* value = headline_value()) return Headline{value->value, std::nullopt, std::nullopt};
  return std::nullopt;
}

Json to_json(const MetricRecord& metric) {
  Json json = metric_head(metric);
  json["counts"] = metric.counts;
  json["values"] = metric.values;
  json["details"] = metric.details;
  return json;
}

Json summary_json(const MetricRecord& metric) {
  Json json = metric_head(metric);
  json["counts"] = json["values"] = Json::object();
  for (const auto& count : metric.counts) json["counts"][count.name] = share_json(count);
  for (const auto& value : metric.values) json["values"][value.name] = amount_json(value);
  return json;
}

MetricRecord read_metric(const CheckedJson& json) {
  MetricRecord metric{.counts = read_list(json.at("counts"), read_count),
                      .values = read_list(json.get("values"), read_value),
                      .details = json.get("details").json()};
  read_metric_head(metric, json);
  return metric;
}

MetricRecord read_metric_summary(const CheckedJson& json) {
  MetricRecord metric;
  for (const auto& [name, count] : json.at("counts").members()) metric.counts.push_back(read_share(count, name));
  if (json.has("values")) {
    for (const auto& [name, value] : json.at("values").members()) metric.values.push_back(read_amount(value, name));
  }
  read_metric_head(metric, json);
  return metric;
}

}  // namespace roclip::bench
