#include "harness/model/tokenizer.h"

#include "harness/model/bpe.h"
#include "harness/model/vocabulary.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

BytePairs openai_pairs(const TokenizerSpec& spec) {
  return BytePairs::openai(spec.merges.empty() ? installed_merges() : spec.merges);
}

}  // namespace

void check_tokenizer(const TokenizerSpec& spec) {
  if (spec.kind == TokenizerSpec::Kind::kOpenAi) openai_pairs(spec);
}

std::shared_ptr<const Tokenizer> make_tokenizer(const TokenizerSpec& spec, std::shared_ptr<const Vocabulary> words,
                                                const PairSource& pairs) {
  switch (spec.kind) {
    case TokenizerSpec::Kind::kWords:
      return words;
    case TokenizerSpec::Kind::kOpenAi:
      return std::make_shared<BpeTokenizer>(openai_pairs(spec), /*trained=*/false);
    case TokenizerSpec::Kind::kTrained: {
      std::vector<std::string> captions;
      for (std::int64_t i = 0; i < pairs.size(); ++i) captions.push_back(pairs.caption(i));
      return std::make_shared<BpeTokenizer>(BytePairs::train(captions, spec.vocab_size), /*trained=*/true);
    }
  }
  return nullptr;
}

std::shared_ptr<const Tokenizer> restore_tokenizer(const TokenizerSpec& spec, const Json& state) {
  try {
    switch (spec.kind) {
      case TokenizerSpec::Kind::kWords:
        return std::make_shared<Vocabulary>(state.at("words").get<std::vector<std::string>>(),
                                            state.at("of_poisons").get<std::vector<std::string>>());
      case TokenizerSpec::Kind::kOpenAi:
        return std::make_shared<BpeTokenizer>(openai_pairs(spec), /*trained=*/false);
      case TokenizerSpec::Kind::kTrained:
        return std::make_shared<BpeTokenizer>(
            BytePairs::of(state.get<std::vector<std::pair<std::int64_t, std::int64_t>>>()), /*trained=*/true);
    }
  } catch (const Json::exception& e) {
    throw Error(ErrorKind::kData, std::string("the tokens that it was trained with cannot be read: ") + e.what());
  }
  return nullptr;
}

}  // namespace roclip::bench
