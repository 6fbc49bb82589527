#include <cstdio>

#include <unistd.h>

#include "roclip/defense.h"

/// Writes garbage to every descriptor that it may have, and trains well all the same.
class Chatters final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit Chatters(Params) {}
  void after_step(roclip::TrainContext&) override {
    std::printf("\x1b[2J\xff\xfe garbage without a newline");
    std::fflush(stdout);
    for (const char* text : {"{\"step\": \"none\"}\n", "{\"record\": \n", "{\"record\": 1}\n",
                             "{\"record\": {\"status\": \"ok\"}}\n", "{\"error\": 1}\n", "not JSON\n", "[1, 2]\n"}) {
      if (::write(3, text, __builtin_strlen(text)) < 0) return;
    }
  }
};

ROCLIP_DEFENSE(Chatters, "chatters/1", "garbage to stdout and to descriptors that are not its own")
