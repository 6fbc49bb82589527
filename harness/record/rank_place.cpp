#include "harness/record/rank_place.h"

#include <charconv>
#include <cstring>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>

#include "harness/record/signals.h"
#include "roclip/error.h"

namespace roclip::bench {

std::optional<RankPlace> rank_place(const std::function<const char*(const char*)>& variable) {
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) {
    if (variable(name) == nullptr) return std::nullopt;
  }
  const auto number = [&](const char* name, int least, int most) {
    const std::string_view text = variable(name);
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
      throw Error(ErrorKind::kUsage, std::string(name) + ": expected a number from " + std::to_string(least) + " to " +
                                         std::to_string(most) + ", got \"" + std::string(text) +
                                         "\"; torchrun sets it, or unset it to train in one process");
    }
    return value;
  };
  RankPlace place{.size = number("WORLD_SIZE", 1, 4096)};
  if (place.size == 1) return std::nullopt;
  place.rank = number("RANK", 0, place.size - 1);
  if (variable("LOCAL_RANK") != nullptr) place.local = number("LOCAL_RANK", 0, place.rank);
  place.address = variable("MASTER_ADDR");
  place.port = number("MASTER_PORT", 1, 65535);
  const char* host = variable("TORCHELASTIC_USE_AGENT_STORE");
  place.has_host = host != nullptr && std::string_view(host) == "True";
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
