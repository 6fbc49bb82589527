#include "harness/model/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

struct Type {
  const char* name;
  torch::ScalarType type;
};
constexpr std::array kTypes = {Type{"U8", torch::kUInt8},  Type{"I32", torch::kInt},       Type{"I64", torch::kLong},
                               Type{"F16", torch::kHalf},  Type{"BF16", torch::kBFloat16}, Type{"F32", torch::kFloat},
                               Type{"F64", torch::kDouble}};

}  // namespace

void write_safetensors(const std::filesystem::path& file, const std::map<std::string, torch::Tensor>& tensors,
                       const Metadata& metadata) {
  Json header = Json::object();
  std::string body;
  for (const auto& [name, tensor] : tensors) {
    const auto bytes = tensor.detach().cpu().contiguous();
    const auto* type = std::ranges::find(kTypes, bytes.scalar_type(), &Type::type);
    if (type == kTypes.end()) throw Error(ErrorKind::kPlugin, "\"" + name + "\" must be u8, i32, i64 or a float");
    header[name] = {{"dtype", type->name},
                    {"shape", std::vector<std::int64_t>(bytes.sizes().begin(), bytes.sizes().end())},
                    {"data_offsets", {body.size(), body.size() + bytes.nbytes()}}};
    body.append(static_cast<const char*>(bytes.data_ptr()), bytes.nbytes());
  }
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(text.size() >> (8 * i) & 0xFF);
  write_file(file, length + text + body);
}

std::map<std::string, torch::Tensor> read_safetensors(const std::filesystem::path& file, Metadata* metadata) {
  const std::string bytes = read_file(file);
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::kData, file.string() + ": is not a whole safetensors file: " + what);
  };
  if (bytes.size() < 8) refuse("it has no header");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  if (length > bytes.size() - 8) refuse("its header is longer than the file");
  const auto body = std::string_view(bytes).substr(8 + length);
  std::map<std::string, torch::Tensor> tensors;
  try {
    const Json header = Json::parse(bytes.begin() + 8, bytes.begin() + 8 + static_cast<std::ptrdiff_t>(length));
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        if (metadata != nullptr) *metadata = entry.get<Metadata>();
        continue;
      }
      const auto* type = std::ranges::find(kTypes, entry.at("dtype").get<std::string>(),
                                           [](const Type& t) { return std::string(t.name); });
      if (type == kTypes.end()) refuse("\"" + name + "\" is of type " + entry.at("dtype").dump());
      const auto begin = entry.at("data_offsets")[0].get<std::uint64_t>();
      const auto end = entry.at("data_offsets")[1].get<std::uint64_t>();
      const auto shape = entry.at("shape").get<std::vector<std::int64_t>>();
      if (std::ranges::any_of(shape, [&](auto side) { return side < 0 || side > std::ssize(body); })) {
        refuse("\"" + name + "\" has a shape that does not fit");
      }
      std::uint64_t count = torch::elementSize(type->type);
      for (const auto side : shape) count *= static_cast<std::uint64_t>(side);
      if (begin > end || end > body.size() || end - begin != count) refuse("\"" + name + "\" is outside of the file");
      auto tensor = torch::empty(shape, type->type);
      std::memcpy(tensor.data_ptr(), body.data() + begin, end - begin);
      tensors.emplace(name, std::move(tensor));
    }
  } catch (const Json::exception& e) {
    refuse(e.what());
  }
  return tensors;
}

}  // namespace roclip::bench
