#include "harness/record/rank_place.h"

#include <charconv>
#include <cstring>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>

#include "harness/record/signals.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

using Variable = std::function<const char*(const char*)>;

int number(const Variable& variable, const char* name, int least, int most, const std::string& next_step) {
  const std::string_view text = variable(name);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    throw Error(ErrorKind::kUsage, std::string(name) + ": expected a number from " + std::to_string(least) + " to " +
                                       std::to_string(most) + ", got \"" + std::string(text) + "\"; " + next_step);
  }
  return value;
}

}  // namespace

double ranks_patience_s(const Variable& variable) {
  const char* name = "ROCLIP_BENCH_PATIENCE_S";
  return variable(name) == nullptr ? RankPlace{}.patience_s : number(variable, name, 1, 1000000, "in seconds");
}

std::optional<RankPlace> rank_place(const Variable& variable) {
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) {
    if (variable(name) == nullptr) return std::nullopt;
  }
  const auto number_of = [&](const char* name, int least, int most) {
    return number(variable, name, least, most, "torchrun sets it, or unset it to train in one process");
  };
  RankPlace place{.size = number_of("WORLD_SIZE", 1, 4096)};
  if (place.size == 1) return std::nullopt;
  place.rank = number_of("RANK", 0, place.size - 1);
  if (variable("LOCAL_RANK") != nullptr) place.local = number_of("LOCAL_RANK", 0, place.rank);
  place.address = variable("MASTER_ADDR");
  place.port = number_of("MASTER_PORT", 1, 65535);
  const char* host = variable("TORCHELASTIC_USE_AGENT_STORE");
  place.has_host = host != nullptr && std::string_view(host) == "True";
  place.patience_s = ranks_patience_s(variable);
  return place;
}

int free_port() {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw Error(ErrorKind::kInternal, std::string("no port is free: ") + std::strerror(errno));
  }
  return ntohs(address.sin_port);
}

}  // namespace roclip::bench
